"""Operations: what was asked for and how far it is."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from vks.kube.errors import NotFound
from vks.resources.operation import Operation
from vks.service.api import models
from vks.service.api.context import Continue, Limit, ScopeIn
from vks.service.api.problems import Problem
from vks.service.api.regions import list_page
from vks.service.api.views import operation_view
from vks.service.api.watching import EVENT_STREAM, Followed, stream
from vks.service.names import CLUSTER_LABEL

router = APIRouter(prefix="/projects/{project}/operations", tags=["operations"])

_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


@router.get(
    "",
    operation_id="listOperations",
    response_model=models.Page[models.OperationView],
    responses=EVENT_STREAM,
)
async def list_operations(
    scope: ScopeIn,
    cluster: Annotated[str | None, Query(max_length=32, pattern=_NAME)] = None,
    limit: Limit = 100,
    continue_: Continue = None,
    watch: bool = False,
) -> Any:
    """The newest first within a page; `watch` streams them as server-sent events."""
    selector = f"{CLUSTER_LABEL}={cluster}" if cluster else ""
    if watch:
        return stream(
            *[
                Followed(
                    region=region,
                    namespace=await region.namespace(scope.caller),
                    model=Operation,
                    view=partial(operation_view, project=scope.project, region=region.name),
                    label_selector=selector or None,
                )
                for region in scope.regions
            ]
        )
    items, token = await list_page(
        scope.regions,
        scope.caller,
        Operation,
        limit=limit,
        token=continue_,
        label_selector=selector,
    )
    items.sort(key=lambda item: item[1].metadata.creation_timestamp or "", reverse=True)
    return models.Page[models.OperationView].of(
        [operation_view(op, scope.project, region.name) for region, op in items], token
    )


@router.get(
    "/{operation}",
    operation_id="getOperation",
    response_model=models.OperationView,
    responses=EVENT_STREAM,
)
async def get_operation(
    scope: ScopeIn,
    operation: Annotated[str, Path(max_length=63, pattern=_NAME)],
    response: Response,
    watch: bool = False,
) -> Any:
    """One operation; `watch` streams it until it has ended."""
    for region in scope.regions:
        namespace = await region.namespace(scope.caller)
        try:
            found = await region.client.get(Operation, operation, namespace)
        except NotFound:
            continue
        if watch:
            return stream(
                Followed(
                    region=region,
                    namespace=namespace,
                    model=Operation,
                    view=partial(operation_view, project=scope.project, region=region.name),
                    name=operation,
                    last=lambda op: op.status.finished is not None,
                )
            )
        response.headers["ETag"] = f'"{found.metadata.resource_version}"'
        return operation_view(found, scope.project, region.name)
    raise Problem("not_found", f"there is no operation {operation!r}")
