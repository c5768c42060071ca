"""Watches as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TypeVar

from pydantic import BaseModel
from starlette.responses import StreamingResponse

from vks.kube.codec import Change
from vks.kube.errors import ApiError
from vks.kube.objects import KubeObject
from vks.service.api.regions import Region

K = TypeVar("K", bound=KubeObject)

KEEP_ALIVE = 15.0
_CLOSED = object()


def stream(
    region: Region,
    namespace: str,
    model: type[K],
    view: Callable[[K], BaseModel],
    *,
    name: str | None = None,
    label_selector: str | None = None,
    last: Callable[[K], bool] = lambda _: False,
) -> StreamingResponse:
    """The current state as ADDED, then every change, until the client goes, the API server ends
    the watch, or an object is the `last` that there is to say."""
    events = _events(region, namespace, model, view, name, label_selector, last)
    return StreamingResponse(
        _with_keep_alive(events),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _events(
    region: Region,
    namespace: str,
    model: type[K],
    view: Callable[[K], BaseModel],
    name: str | None,
    label_selector: str | None,
    last: Callable[[K], bool],
) -> AsyncIterator[str]:
    field_selector = f"metadata.name={name}" if name else None
    found = await region.client.list(
        model, namespace, field_selector=field_selector, label_selector=label_selector
    )
    for item in found.items:
        yield _event("ADDED", item, view)
        if last(item):
            return
    async with region.client.watch(
        model,
        namespace,
        resource_version=found.resource_version,
        field_selector=field_selector,
        label_selector=label_selector,
    ) as batches:
        async for batch in batches:
            for change in batch:
                if not isinstance(change, Change):
                    continue
                yield _event(change.type, change.object, view)
                if last(change.object):
                    return


def _event(type_: str, item: K, view: Callable[[K], BaseModel]) -> str:
    data = view(item).model_dump_json(by_alias=True)
    return f"event: {type_}\nid: {item.metadata.resource_version}\ndata: {data}\n\n"


async def _with_keep_alive(events: AsyncIterator[str]) -> AsyncIterator[str]:
    """Says something now and then, so that nobody in between takes silence for an end."""
    queue: asyncio.Queue[object] = asyncio.Queue(maxsize=100)

    async def pump() -> None:
        try:
            async for event in events:
                await queue.put(event)
        except ApiError:
            pass  # the stream ends; the client resumes with what it has
        finally:
            await queue.put(_CLOSED)

    task = asyncio.create_task(pump())
    try:
        while True:
            try:
                item = await asyncio.wait_for(queue.get(), KEEP_ALIVE)
            except TimeoutError:
                yield ": keep-alive\n\n"
                continue
            if item is _CLOSED:
                return
            yield str(item)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
