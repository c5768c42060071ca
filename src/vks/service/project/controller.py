"""The Project controller: namespace and cloud credentials, kept as they should be."""

from __future__ import annotations

import base64

from vks.kube.apply import Applier
from vks.kube.conditions import conditions_body, set_condition
from vks.kube.objects import Key, owner_reference
from vks.resources.contract import READY
from vks.resources.core import Namespace, Secret
from vks.resources.project import CLOUD_SECRET, CLOUD_SECRET_KEY, Project, project_namespace
from vks.runtime.controller import Controller
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.runtime.watches import Watch, generation_changed
from vks.service.caches import Caches
from vks.service.project.credentials import project_clouds_yaml
from vks.verda.credentials import CloudConfig

NAME = "vks-project"
PROJECT_LABEL = "vks.verda/project"


class ProjectReconciler:
    """`service` is the service user's entry of the region's `clouds.yaml`."""

    def __init__(self, manager: Manager, caches: Caches, service: CloudConfig) -> None:
        self._clock = manager.clock
        self._caches = caches
        self._service = service
        self._client = manager.client
        self._status = Applier(manager.client, NAME)

    async def reconcile(self, key: Key) -> Result:
        project = self._caches.projects.get(key)
        if project is None or project.deleting:
            return DONE  # the namespace and all in it go by garbage collection
        namespace = project_namespace(project.metadata.name)
        labels = {PROJECT_LABEL: project.metadata.name}
        await self._client.apply(
            Namespace,
            {
                "metadata": {
                    "name": namespace,
                    "labels": labels,
                    "ownerReferences": [owner_reference(project)],
                }
            },
            field_manager=NAME,
        )
        clouds = project_clouds_yaml(self._service, project.spec.project_id)
        await self._client.apply(
            Secret,
            {
                "metadata": {"name": CLOUD_SECRET, "namespace": namespace, "labels": labels},
                "type": "Opaque",
                "data": {CLOUD_SECRET_KEY: base64.b64encode(clouds.encode()).decode()},
            },
            field_manager=NAME,
        )
        await self._report(project, namespace)
        return DONE

    async def _report(self, project: Project, namespace: str) -> None:
        conditions = set_condition(
            project.status.conditions,
            READY,
            True,
            "NamespaceReady",
            now=self._clock.now(),
            observed_generation=project.metadata.generation,
        )
        body = {
            "metadata": {"name": project.metadata.name},
            "status": {"namespace": namespace, "conditions": conditions_body(conditions)},
        }
        await self._status.apply(Project, body, observed=project, subresource="status")


def setup(manager: Manager, caches: Caches, service: CloudConfig) -> Controller:
    reconciler = ProjectReconciler(manager, caches, service)
    controller = Controller(
        "project",
        reconciler.reconcile,
        workers=2,
        resync=600.0,
        watches=[Watch(Project, predicate=generation_changed)],
    )
    manager.add(controller)
    return controller
