"""Watches as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.responses import StreamingResponse

from vks.kube.codec import Change
from vks.kube.errors import ApiError
from vks.kube.objects import KubeObject
from vks.service.api.regions import Region

K = TypeVar("K", bound=KubeObject)

KEEP_ALIVE = 15.0
#: For the OpenAPI document: what a read with `watch` answers.
EVENT_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
_CLOSED = object()


@dataclass(frozen=True, kw_only=True)
class Followed(Generic[K]):
    """The objects of one region to tell about: one by `name`, or all that the selector leaves.

    Following ends after an object that is the `last` that there is to say.
    """

    region: Region
    namespace: str
    model: type[K]
    view: Callable[[K], BaseModel]
    name: str | None = None
    label_selector: str | None = None
    last: Callable[[K], bool] = lambda _: False


def stream(*followed: Followed[K]) -> StreamingResponse:
    """The current state as ADDED, then every change, until the client goes, an API server ends
    its watch, or the one that is followed by name has said its last or is gone."""
    return StreamingResponse(
        _merged([_events(each) for each in followed]),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _events(followed: Followed[K]) -> AsyncIterator[str]:
    client = followed.region.client
    field_selector = f"metadata.name={followed.name}" if followed.name else None
    found = await client.list(
        followed.model,
        followed.namespace,
        field_selector=field_selector,
        label_selector=followed.label_selector,
    )
    for item in found.items:
        yield _event("ADDED", item, followed.view)
        if followed.last(item):
            return
    async with client.watch(
        followed.model,
        followed.namespace,
        resource_version=found.resource_version,
        field_selector=field_selector,
        label_selector=followed.label_selector,
    ) as batches:
        async for batch in batches:
            for change in batch:
                if not isinstance(change, Change):
                    continue
                yield _event(change.type, change.object, followed.view)
                gone = followed.name is not None and change.type == "DELETED"
                if gone or followed.last(change.object):
                    return


def _event(type_: str, item: K, view: Callable[[K], BaseModel]) -> str:
    data = view(item).model_dump_json(by_alias=True)
    return f"event: {type_}\nid: {item.metadata.resource_version}\ndata: {data}\n\n"


async def _merged(sources: list[AsyncIterator[str]]) -> AsyncIterator[str]:
    """The events of all sources until the first of them ends; the client then comes again. Says
    something now and then, so that nobody in between takes silence for an end."""
    queue: asyncio.Queue[object] = asyncio.Queue(maxsize=100)
    tasks = [asyncio.create_task(_pump(source, queue)) for source in sources]
    try:
        while tasks:
            try:
                item = await asyncio.wait_for(queue.get(), KEEP_ALIVE)
            except TimeoutError:
                yield ": keep-alive\n\n"
                continue
            if item is _CLOSED:
                return
            yield str(item)
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


async def _pump(source: AsyncIterator[str], queue: asyncio.Queue[object]) -> None:
    try:
        async for event in source:
            await queue.put(event)
    except ApiError:
        pass  # the stream ends; the client resumes with what it has
    finally:
        await queue.put(_CLOSED)
