"""One process's controllers, their shared caches, and who may act: start, serve, stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import uuid
from collections.abc import Iterable
from contextlib import AsyncExitStack
from random import Random
from typing import Any, Protocol, TypeVar

import structlog
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from vks.kube.client import Client
from vks.kube.codec import PoisonObject
from vks.kube.errors import ApiError
from vks.kube.objects import KubeObject, Resource
from vks.kube.selectors import Selection
from vks.runtime import http
from vks.runtime.clock import Clock, SystemClock
from vks.runtime.controller import Controller
from vks.runtime.events import Recorder
from vks.runtime.informer import Informer
from vks.runtime.lease import Elector, LeaderElection, LeadershipLostError, LeaseLock
from vks.runtime.metrics import Metrics
from vks.runtime.shards import Sharding, ShardListener, Shards
from vks.runtime.store import Indexers

T = TypeVar("T", bound=KubeObject)

#: How long running reconciles get to finish at shutdown, in seconds.
GRACE_PERIOD = 20.0

log = structlog.get_logger(__name__)


class Runnable(Protocol):
    """Anything that runs as long as the manager leads; it is cancelled at shutdown, when no
    reconcile is left that may need it."""

    async def run(self) -> None: ...


class Manager:
    """Owns the caches and runs the controllers of one process.

    With `leader_election` only one replica works; with `sharding` every replica works on its
    share of the namespaces. Neither means that this is the only process.
    """

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        http_port: int | None = None,
        http_host: str = "127.0.0.1",
        leader_election: LeaderElection | None = None,
        sharding: Sharding | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
        grace_period: float = GRACE_PERIOD,
    ) -> None:
        """`http_port` serves /healthz, /readyz and /metrics; 0 lets the system choose."""
        if leader_election is not None and sharding is not None:
            raise ValueError("shards have their own Leases: choose one of the two")
        self.client = client
        self.name = name
        self.identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self.clock = clock or SystemClock()
        self.rng = rng or Random()  # noqa: S311 - jitter
        self.metrics = Metrics(_registry())
        self.http_port: int | None = http_port
        self._http_host = http_host
        self._grace_period = grace_period
        self._informers: dict[tuple[int, type[KubeObject], Selection], Informer[Any]] = {}
        self._controllers: list[Controller] = []
        self._runnables: list[Runnable] = []
        self._recorders: dict[str, Recorder] = {}
        self._election = leader_election
        self._shards: Shards | None = None
        if sharding is not None:
            self._shards = Shards(
                client, sharding, identity=self.identity, clock=self.clock, rng=self.rng
            )
        self._tasks: asyncio.TaskGroup | None = None
        self._background: list[asyncio.Task[None]] = []
        self._senders: list[asyncio.Task[None]] = []
        self._stopping = False
        client.observe_requests(self.metrics.request)

    def informer(
        self,
        model: type[T],
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        client: Client | None = None,
        indexers: Indexers[T] | None = None,
    ) -> Informer[T]:
        """The cache of that part of a kind, shared by all that ask for the same one.

        Raises ValueError when an index's name is taken by another function.
        """
        selection = Selection(namespace, label_selector, field_selector)
        source = client or self.client
        key = (id(source), model, selection)
        informer: Informer[T] | None = self._informers.get(key)
        if informer is None:
            informer = Informer(
                source, model, selection, rng=self.rng, on_poison=self._found_poison
            )
            self._informers[key] = informer
            if self._tasks is not None:
                self._background.append(self._tasks.create_task(informer.run()))
        for name, indexer in (indexers or {}).items():
            informer.store.add_indexer(name, indexer)
        return informer

    def recorder(self, controller: str) -> Recorder:
        """Records events as that controller."""
        recorder = self._recorders.get(controller)
        if recorder is None:
            recorder = self._recorders[controller] = Recorder(
                self.client, controller, instance=self.identity, clock=self.clock, rng=self.rng
            )
            if self._tasks is not None:
                self._senders.append(self._tasks.create_task(recorder.run()))
        return recorder

    def add(self, part: Controller | Runnable) -> None:
        """Adds a controller or anything else that runs while we lead; before `run`."""
        if self._tasks is not None:
            raise RuntimeError("the manager runs already")
        if not isinstance(part, Controller):
            self._runnables.append(part)
            return
        informers = [
            self.informer(
                watch.model,
                namespace=watch.namespace,
                label_selector=watch.label_selector,
                field_selector=watch.field_selector,
                client=watch.client,
            )
            for watch in part.watches
        ]
        shards = self._shards
        part.bind(
            informers,
            metrics=self.metrics,
            rng=self.rng,
            accepts=(lambda _: True) if shards is None else shards.owns,
        )
        if shards is not None:
            shards.listeners.append(ShardListener(part.enqueue_all, part.release))
        self._controllers.append(part)

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Runs everything until `stop` is set, then ends in order: not ready, no more events,
        running reconciles finish, Leases are released.

        Raises LeadershipLostError when another replica may act now, and whatever a Runnable
        raises; the process should exit then.
        """
        stop = stop or asyncio.Event()
        try:
            async with AsyncExitStack() as stack:
                if self.http_port is not None:
                    self.http_port = await stack.enter_async_context(
                        http.serve(
                            self._http_host,
                            self.http_port,
                            self.metrics.registry,
                            not_ready=self.not_ready,
                        )
                    )
                self._tasks = await stack.enter_async_context(asyncio.TaskGroup())
                await self._run(self._tasks, stop)
        except BaseExceptionGroup as group:
            # One task's failure cancels the others: that failure is what happened.
            raise _first(group) from group
        finally:
            gc.unfreeze()  # what `_freeze` hid, cycles of this and that among it

    def not_ready(self) -> list[str]:
        """What readiness waits for: caches that have not been filled, or the shutdown."""
        if self._stopping or self._tasks is None:
            return ["shutdown" if self._stopping else "start"]
        return [
            f"informer-{model.resource.kind}"
            for (_, model, _), informer in self._informers.items()
            if not informer.synced
        ]

    async def _run(self, tasks: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        informers = [*self._informers.values()]
        self._background += [tasks.create_task(informer.run()) for informer in informers]
        self._background.append(tasks.create_task(self._freeze(informers)))
        self._senders += [tasks.create_task(part.run()) for part in self._recorders.values()]
        keepers: list[asyncio.Task[None]] = []
        controllers: list[asyncio.Task[None]] = []
        runnables: list[asyncio.Task[None]] = []
        elector: Elector | None = None
        if self._election is not None:
            elector = Elector(self._lock(self._election), rng=self.rng)
            if await _unless(stop, elector.acquire()):
                keepers.append(tasks.create_task(elector.hold()))
                self.metrics.leader.labels(self._election.name).set(1)
        if self._shards is not None:
            keepers.append(tasks.create_task(self._shards.run()))
        if not stop.is_set():
            controllers = [tasks.create_task(part.run()) for part in self._controllers]
            runnables = [tasks.create_task(part.run()) for part in self._runnables]
            log.info("manager started", manager=self.name, identity=self.identity)
            await stop.wait()
        await self._shut_down(controllers, runnables, keepers, elector)

    async def _shut_down(
        self,
        controllers: list[asyncio.Task[None]],
        runnables: list[asyncio.Task[None]],
        keepers: list[asyncio.Task[None]],
        elector: Elector | None,
    ) -> None:
        self._stopping = True
        log.info("manager stopping", manager=self.name)
        await _cancel(self._background)
        for part in self._controllers:
            part.stop()
        if controllers:
            _, late = await asyncio.wait(controllers, timeout=self._grace_period)
            if late:
                log.warning("reconciles cut off at shutdown", controllers=len(late))
            await _cancel(late)
        await _cancel(runnables)  # what reconciles are made with: clouds, connections
        await _cancel(self._senders)
        for recorder in self._recorders.values():
            await recorder.flush()
        # Leases are renewed up to here: nobody may start what we have not finished.
        await _cancel(keepers)
        if self._shards is not None:
            await self._shards.release()
        if elector is not None:
            try:
                await elector.lock.release()
            except ApiError as error:
                log.warning("lease not released", reason=error.reason, error=error.message)

    @staticmethod
    async def _freeze(informers: list[Informer[Any]]) -> None:
        """Takes the filled caches out of the garbage collector's sight."""
        for informer in informers:
            await informer.wait_synced()
        gc.freeze()

    def _lock(self, election: LeaderElection) -> LeaseLock:
        return LeaseLock(self.client, election, identity=self.identity, clock=self.clock)

    def _found_poison(self, resource: Resource, found: PoisonObject) -> None:
        self.metrics.poison.labels(resource.group, resource.kind).inc()
        regarding = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": found.name,
            "namespace": found.namespace,
            "uid": found.uid,
        }
        self.recorder(self.name).about(
            regarding, "Warning", "UndecodableObject", found.error, action="Decode"
        )


async def run_until_signalled(manager: Manager) -> None:
    """Runs the manager until SIGTERM or SIGINT; a second signal ends the process at once.

    Raises what `Manager.run` raises.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)  # the default action is next

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    try:
        await manager.run(stop)
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _unless(stop: asyncio.Event, wanted: Any) -> bool:
    """Whether `wanted` came to its end before `stop` was set; it is cancelled otherwise."""
    task = asyncio.ensure_future(wanted)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
            return True
        return False
    finally:
        await _cancel([task, stopping])


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels the tasks and returns when they have ended."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to report: lost leadership if it is among them, else the first one."""
    lost = group.subgroup(LeadershipLostError)
    error: BaseException = lost or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _registry() -> CollectorRegistry:
    # Half of all lines otherwise, and no dashboard asks for them.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
