"""Makes the objects and the changes, and sees from outside when each has been dealt with."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, ClassVar

from benchmarks.runtime.widget import NAMESPACE, Widget, WidgetStatus, name_of, new
from vks.kube.client import Client
from vks.kube.codec import Change
from vks.kube.errors import Unavailable
from vks.kube.objects import KubeObject, Resource

IN_FLIGHT = 50
_TICK = 0.02
_REQUESTS = re.compile(r'^apiserver_request_total\{(.*resource="widgets".*)\} (\S+)$', re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class _Seen(KubeObject, frozen=True, kw_only=True):
    """As much of a Widget as the observer looks at."""

    resource: ClassVar[Resource] = Widget.resource
    status: WidgetStatus = WidgetStatus()


class Observer:
    """Watches the objects. `latencies` are the seconds from a change's event to the event of the
    status that answers it: both come the same way, so what the way takes cancels out."""

    def __init__(self, client: Client) -> None:
        self.latencies: list[float] = []
        self._client = client
        self._began: dict[str, list[tuple[int, float]]] = {}
        self._observed: dict[str, int] = {}
        self._wanted: dict[str, int] = {}
        self._quiet = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. Raises ApiError when the watch breaks: the run is void then."""
        version = (await self._client.list(_Seen, NAMESPACE)).resource_version
        while True:
            # A watch that the server ends in order is resumed where it ended.
            with suppress(Unavailable):
                async with self._client.watch(
                    _Seen, NAMESPACE, resource_version=version, timeout_seconds=3600
                ) as batches:
                    async for batch in batches:
                        now = time.perf_counter()
                        for event in batch:
                            version = event.resource_version
                            if isinstance(event, Change):
                                self._see(event.object, now)

    def want(self, name: str, generation: int) -> None:
        """Waits for that generation of the object, too."""
        if self._observed.get(name, 0) < generation:
            self._wanted[name] = max(generation, self._wanted.get(name, 0))
            self._quiet.clear()

    async def wait(self, timeout: float) -> None:
        """Returns when everything that is wanted has been answered. Raises TimeoutError."""
        if self._wanted:
            await asyncio.wait_for(self._quiet.wait(), timeout)

    def _see(self, seen: _Seen, now: float) -> None:
        name, generation = seen.metadata.name, seen.metadata.generation
        open_ = self._began.setdefault(name, [])
        if generation > (open_[-1][0] if open_ else self._observed.get(name, 0)):
            open_.append((generation, now))
        answered = seen.status.observed_generation
        while open_ and open_[0][0] <= answered:
            self.latencies.append(now - open_.pop(0)[1])
        self._observed[name] = answered
        if self._wanted.get(name, answered + 1) <= answered:
            del self._wanted[name]
            if not self._wanted:
                self._quiet.set()


async def create(client: Client, observer: Observer, count: int, rate: float) -> None:
    """Makes the objects, `rate` of them per second."""

    async def one(number: int) -> None:
        name = name_of(number)
        made = await client.create(_Seen, new(name))
        observer.want(name, made.metadata.generation)

    await _paced(one, range(count), rate)


async def update(client: Client, observer: Observer, count: int, changes: int, rate: float) -> None:
    """Changes one object after the other, `rate` changes per second."""

    async def one(number: int) -> None:
        name = name_of(number % count)
        patch = {"spec": {"value": number + 1}}
        changed = await client.merge_patch(_Seen, name, NAMESPACE, patch)
        observer.want(name, changed.metadata.generation)

    await _paced(one, range(changes), rate)


async def _paced(
    one: Callable[[int], Awaitable[None]], numbers: Iterable[int], rate: float
) -> None:
    slots = asyncio.Semaphore(IN_FLIGHT)
    began = time.perf_counter()

    async def run(number: int) -> None:
        try:
            await one(number)
        finally:
            slots.release()

    async with asyncio.TaskGroup() as tasks:
        for number in numbers:
            ahead = number / rate - (time.perf_counter() - began)
            if ahead > _TICK:
                await asyncio.sleep(ahead)
            await slots.acquire()
            tasks.create_task(run(number))


async def requests(client: Client) -> Counter[str]:
    """How many requests for the objects the API server has answered, as "VERB CODE"."""
    text = (await client.raw("GET", "/metrics", accept="text/plain")).decode()
    found: Counter[str] = Counter()
    for labels, value in _REQUESTS.findall(text):
        label: dict[str, Any] = dict(_LABEL.findall(labels))
        if label["group"] == Widget.resource.group:
            found[f"{label['verb']} {label['code']}"] += int(float(value))
    return found
