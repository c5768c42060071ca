"""What every route that changes something begins and ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from vks.kube.objects import KubeObject
from vks.resources.managedcluster import ManagedCluster
from vks.resources.operation import Operation, OperationType
from vks.service.api import models
from vks.service.api.context import IdempotencyKey, Scope, scope
from vks.service.api.operations import Change, record, recorded, recorded_somewhere
from vks.service.api.problems import Problem
from vks.service.api.regions import Region
from vks.service.api.views import operation_view


@dataclass(frozen=True)
class Changing:
    """A request for a change, from its key to the operation that answers it."""

    scope: Scope
    request: Request
    response: Response
    key: str | None

    def change(self, body: BaseModel | None = None, *, sparse: bool = False) -> Change:
        """The change that the request asks for with that body. `sparse`: a field that is null is
        not the same as one that is absent."""
        said = None if body is None else body.model_dump(mode="json", exclude_unset=sparse)
        path = self.request.url.path
        return Change.of(self.scope.caller, self.request.method, path, said, self.key)

    async def known(
        self, change: Change, region: Region, namespace: str
    ) -> models.OperationView | None:
        """The answer to an earlier request with the same key. Raises Problem for another one."""
        operation = await recorded(change, region, namespace)
        return None if operation is None else self._accepted(region, operation)

    async def known_somewhere(self, change: Change) -> models.OperationView | None:
        """The same for a deletion, whose object may be gone already."""
        found = await recorded_somewhere(change, self.scope.regions)
        return None if found is None else self._accepted(*found)

    async def record(
        self,
        change: Change,
        region: Region,
        type_: OperationType,
        cluster: str,
        target: KubeObject,
        **more: Any,
    ) -> models.OperationView:
        """Records the change that was made as an operation, and answers with it."""
        namespace = target.metadata.namespace
        operation = await record(change, region, namespace, type_, cluster, target, **more)
        return self._accepted(region, operation)

    def _accepted(self, region: Region, operation: Operation) -> models.OperationView:
        return accepted(self.response, self.scope, region, operation)


def accepted(
    response: Response, scope: Scope, region: Region, operation: Operation
) -> models.OperationView:
    """The body of every 202."""
    name, project = operation.metadata.name, scope.project
    response.headers["Location"] = f"/v1/projects/{project}/operations/{name}"
    return operation_view(operation, project, region.name)


def refuse_deleting(cluster: ManagedCluster) -> None:
    """Raises Problem."""
    if cluster.deleting:
        raise Problem("conflict", "the cluster is being deleted")


def _changing(
    scope: Annotated[Scope, Depends(scope)],
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Changing:
    return Changing(scope, request, response, idempotency_key)


ChangingIn = Annotated[Changing, Depends(_changing)]
