"""The regions behind the API: their management clusters, and a project's place in them."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vks.kube.client import Client
from vks.kube.codec import decode_list
from vks.kube.errors import AlreadyExists, Conflict, NotFound
from vks.kube.objects import KubeObject, owner_reference
from vks.resources.core import Namespace
from vks.resources.managedcluster import ManagedCluster
from vks.resources.project import Project, project_namespace
from vks.service.api.auth import Caller
from vks.service.api.problems import Problem
from vks.service.config import RegionConfig
from vks.service.names import digest

K = TypeVar("K", bound=KubeObject)
T = TypeVar("T")

FIELD_MANAGER = "vks-api"
_ATTEMPTS = 10
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Region:
    config: RegionConfig
    client: Client
    _namespaces: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.config.name

    async def namespace(self, caller: Caller) -> str:
        """The namespace of the caller's project; made on its first use. Raises ApiError."""
        known = self._namespaces.get(caller.project_id)
        if known is not None:
            return known
        project = await self._project(caller)
        namespace = project_namespace(project.metadata.name)
        body = {"metadata": {"name": namespace, "ownerReferences": [owner_reference(project)]}}
        with suppress(AlreadyExists):  # by an earlier request or by the Project's controller
            await self.client.create(Namespace, body, field_manager=FIELD_MANAGER)
        self._namespaces[caller.project_id] = namespace
        return namespace

    async def _project(self, caller: Caller) -> Project:
        """Names are unique per Keystone domain only, so that a second project of a name gets
        one with a hash of its id. Creation is the compare-and-swap."""
        for name in project_names(caller.project_name, caller.project_id):
            body = {"metadata": {"name": name}, "spec": {"projectID": caller.project_id}}
            try:
                project = await self.client.get(Project, name)
            except NotFound:
                try:
                    project = await self.client.create(Project, body, field_manager=FIELD_MANAGER)
                except AlreadyExists:
                    project = await self.client.get(Project, name)
            if project.spec.project_id == caller.project_id:
                return project
        raise Problem("conflict", "the project's name is taken in this region")


def project_names(name: str, project_id: str) -> Sequence[str]:
    """The names that a Project may get, in order of preference."""
    if not _LABEL.fullmatch(name):
        return (f"id-{digest(project_id, 20)}",)
    return (name, f"{name}-{digest(project_id, 8)}")


async def find_cluster(
    regions: Sequence[Region], caller: Caller, name: str
) -> tuple[Region, ManagedCluster]:
    """Raises Problem when no region of the caller's has it."""
    for region in regions:
        try:
            namespace = await region.namespace(caller)
            return region, await region.client.get(ManagedCluster, name, namespace)
        except NotFound:
            continue
    raise Problem("not_found", f"there is no cluster {name!r}")


async def patch_spec(client: Client, found: K, spec: Mapping[str, Any]) -> K:
    """Merges into the spec that was read. Raises Conflict when it is another one by now; that
    only the status moved meanwhile, as it does all the time, is none."""
    meta = found.metadata
    for _ in range(_ATTEMPTS):
        version = found.metadata.resource_version
        patch = {"metadata": {"resourceVersion": version}, "spec": spec}
        try:
            return await client.merge_patch(
                type(found), meta.name, meta.namespace, patch, field_manager=FIELD_MANAGER
            )
        except Conflict:
            found = await client.get(type(found), meta.name, meta.namespace)
            now = found.metadata
            if (now.uid, now.generation) != (meta.uid, meta.generation):
                raise
    raise Problem("conflict", "the object changes all the time: try again")


async def list_page(
    regions: Sequence[Region],
    caller: Caller,
    model: type[K],
    *,
    limit: int,
    token: str | None,
    label_selector: str = "",
) -> tuple[list[tuple[Region, K]], str | None]:
    """One page over all regions. Raises Problem for a token that is none."""
    index, rest = _decode(token, len(regions))
    items: list[tuple[Region, K]] = []
    while index < len(regions) and len(items) < limit:
        region = regions[index]
        resource = model.resource
        namespace = await region.namespace(caller)
        params = {"limit": str(limit - len(items))}
        params |= {"continue": rest} if rest else {}
        params |= {"labelSelector": label_selector} if label_selector else {}
        path = f"{resource.base_path}/namespaces/{namespace}/{resource.plural}"
        page = decode_list(model, await region.client.raw("GET", path, params=params))
        items += [(region, item) for item in page.items]
        rest = page.continue_token
        if not rest:
            index += 1
    return items, _encode(index, rest) if index < len(regions) else None


def page_by_name(
    named: Mapping[str, T], *, limit: int, token: str | None
) -> tuple[list[T], str | None]:
    """One page of what is read as a whole, by name: what comes or goes meanwhile moves nothing
    else. Raises Problem for a token that is none."""
    _, after = _decode(token, 1)
    left = sorted(name for name in named if name > after)
    page = left[:limit]
    return [named[name] for name in page], _encode(0, page[-1]) if len(left) > limit else None


def _encode(index: int, rest: str) -> str:
    return base64.urlsafe_b64encode(f"{index}:{rest}".encode()).decode()


def _decode(token: str | None, regions: int) -> tuple[int, str]:
    if token is None:
        return 0, ""
    try:
        index, _, rest = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        number = int(index)
    except ValueError:
        number, rest = -1, ""
    if not 0 <= number < regions:
        raise Problem("bad_request", "the continue token is not valid")
    return number, rest
