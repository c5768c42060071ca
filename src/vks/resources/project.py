"""Project: a tenant. It owns the namespace `p-NAME` in the management cluster."""

from __future__ import annotations

from typing import Annotated, ClassVar

from vks.kube.objects import Condition, KubeObject, KubeStruct, Resource
from vks.resources.fields import CloudName, ConditionList

GROUP = "vks.verda"
VERSION = "v1alpha1"
#: The Secret in a project's namespace that holds its `clouds.yaml`, the key and the entry in it.
CLOUD_SECRET = "cloud-config"  # noqa: S105 - a name, not a secret
CLOUD_SECRET_KEY = "clouds.yaml"  # noqa: S105 - a name, not a secret
CLOUD_NAME = "verda"


class ProjectSpec(KubeStruct, frozen=True, kw_only=True):
    """`project_id` is the Keystone project that the namespace stands for."""

    project_id: CloudName


class ProjectStatus(KubeStruct, frozen=True, kw_only=True):
    namespace: str = ""
    conditions: Annotated[tuple[Condition, ...], ConditionList] = ()


class Project(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "Project", "projects", namespaced=False)
    spec: ProjectSpec
    status: ProjectStatus = ProjectStatus()


def project_namespace(name: str) -> str:
    """The namespace that a project owns."""
    return f"p-{name}"
