"""Runs one reconcile function: at most once per key at a time, again after failures, and
never on a cache that is older than its own last write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from random import Random
from typing import Any, NamedTuple

import structlog
from prometheus_client import CollectorRegistry
from structlog.contextvars import bind_contextvars

from vks.kube.errors import ApiError, Conflict
from vks.kube.objects import Key
from vks.kube.writes import Write, WriteRecord
from vks.runtime.deadline import Deadline
from vks.runtime.informer import Change, Informer
from vks.runtime.logs import reconciled_key
from vks.runtime.metrics import ControllerMetrics, Metrics
from vks.runtime.queue import (
    HIGH_PRIORITY,
    LOW_PRIORITY,
    NORMAL_PRIORITY,
    RAISED_PRIORITY,
    QueueShutDownError,
    WorkQueue,
)
from vks.runtime.result import Result, Terminal, Transient, Waiting
from vks.runtime.watches import Source, Watch

Reconcile = Callable[[Key], Awaitable[Result]]
OnTerminal = Callable[[Key, Terminal], Awaitable[None]]

#: How long a reconcile waits for the cache to show its key's last writes, in seconds.
CONSISTENCY_TIMEOUT = 5.0

log = structlog.get_logger(__name__)


class _Outcome(NamedTuple):
    """What to do with the key: `requeue_after` None and no retry means until it changes."""

    label: str  # controller-runtime's value of the metric label `result`
    requeue_after: float | None = None
    retry: bool = False


class Controller:
    """One reconcile function with its watches, queue and workers.

    `reconcile` is level-based: it gets a key, not what happened. It returns a Result or
    raises: Waiting (no error), Terminal (no retry), Transient or anything else (retry with
    back-off). `on_terminal` is told of Terminal errors, to write the Condition.
    """

    def __init__(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        watches: Sequence[Watch[Any]] = (),
        sources: Sequence[Source] = (),
        workers: int = 10,
        timeout: float = 60.0,
        resync: float = 36_000.0,
        on_terminal: OnTerminal | None = None,
    ) -> None:
        """`timeout` of one reconcile and `resync`, when every key is looked at again although
        nothing happened, in seconds."""
        self.name = name
        self.watches = tuple(watches)
        self.sources = tuple(sources)
        self._reconcile = reconcile
        self._workers = workers
        self._timeout = timeout
        self._resync = resync
        self._on_terminal = on_terminal
        self.queue: WorkQueue[Key] = WorkQueue()
        self._informers: list[tuple[Watch[Any], Informer[Any]]] = []
        self._accepts: Callable[[Key], bool] = lambda _: True
        self._rng = Random()  # noqa: S311 - jitter
        self._metrics = ControllerMetrics(Metrics(CollectorRegistry()), name)
        self._stopping = asyncio.Event()
        self._held: set[_Held] = set()
        self._active = 0
        self._log = log.bind(controller=name)

    def bind(
        self,
        informers: Sequence[Informer[Any]],
        *,
        metrics: Metrics,
        rng: Random,
        accepts: Callable[[Key], bool],
    ) -> None:
        """Connects the controller, once: `informers` in the order of `watches`; keys that
        `accepts` refuses belong to another replica. For the manager."""
        self._metrics = ControllerMetrics(metrics, self.name)
        self._metrics.max_concurrent.set(self._workers)
        self._metrics.active_workers.set_function(lambda: self._active)
        self._rng = rng
        self._accepts = accepts
        metrics.watch_queue(self.name, self.queue)
        for watch, informer in zip(self.watches, informers, strict=True):
            self._informers.append((watch, informer))
            informer.add_handler(self._handler(watch))
        for source in self.sources:
            source.bind(self._enqueue)

    def enqueue(self, key: Key, *, priority: int = NORMAL_PRIORITY, after: float = 0.0) -> None:
        """Has the key reconciled, in `after` seconds. From anywhere on the event loop."""
        if self._accepts(key):
            self.queue.add_after(key, after, priority)

    def enqueue_all(self, wanted: Callable[[Key], bool] = lambda _: True) -> None:
        """Has every key of the caches reconciled, after everything that is urgent."""
        for watch, informer in self._informers:
            for obj in informer.store.list():
                for key in watch.keys(Change(None, obj)):
                    if wanted(key):
                        self.enqueue(key, priority=LOW_PRIORITY)

    async def run(self) -> None:
        """Works until `stop` is called and the running reconciles have ended."""
        if not await self._synced():
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                resync = tasks.create_task(self._resync_forever())
                workers = [tasks.create_task(self._work()) for _ in range(self._workers)]
                await asyncio.wait(workers)
                resync.cancel()
        finally:
            for held in [*self._held]:
                held.let_go()

    def stop(self) -> None:
        """Takes no more work; what runs is finished, what waits is dropped."""
        self._stopping.set()
        self.queue.shut_down()
        self.queue.discard(lambda _: True)

    async def release(self, given_up: Callable[[Key], bool]) -> None:
        """Drops such keys and returns when no worker holds one. `accepts` must refuse them
        already."""
        self.queue.discard(given_up)
        await self.queue.wait_idle(given_up)
        self.queue.discard(given_up)

    async def _synced(self) -> bool:
        """Waits for the caches; False when stopped before."""
        waits = [asyncio.create_task(informer.wait_synced()) for _, informer in self._informers]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            for wait in waits:
                await asyncio.wait({wait, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return not self._stopping.is_set()
        finally:
            for task in (*waits, stopping):
                task.cancel()

    def _handler(self, watch: Watch[Any]) -> Callable[[Change[Any]], None]:
        def on_change(change: Change[Any]) -> None:
            priority = _priority(change, watch)
            for key in watch.keys(change):
                self._enqueue(key, priority)

        return on_change

    def _enqueue(self, key: Key, priority: int) -> None:
        if self._accepts(key):
            self.queue.add(key, priority)

    async def _resync_forever(self) -> None:
        while True:
            await asyncio.sleep(self._resync * self._rng.uniform(0.9, 1.1))
            self.enqueue_all()

    async def _work(self) -> None:
        bind_contextvars(controller=self.name)
        with closing(Deadline(self._timeout)) as deadline:
            while True:
                try:
                    key, priority = await self.queue.get()
                except QueueShutDownError:
                    return
                await self._process(key, priority, deadline)

    async def _process(self, key: Key, priority: int, deadline: Deadline) -> None:
        self._active += 1
        unseen: list[tuple[Informer[Any], Write]] = []
        try:
            reconciled_key.set(key)  # until the next one's
            with WriteRecord() as writes:
                outcome = await self._run_once(key, deadline)
            self._metrics.reconciles[outcome.label].inc()
            self._schedule(key, priority, outcome)
            unseen = self._unseen(writes)
        finally:
            self._active -= 1
            if unseen:  # the key stays taken, the worker does not
                self._held.add(_Held(key, unseen, deadline.loop, self._let_go))
            else:
                self.queue.done(key)

    def _let_go(self, held: _Held, *, late: bool) -> None:
        self._held.discard(held)
        if late:
            self._log.warning("cache is behind its own writes", key=str(held.key))
        self.queue.done(held.key)

    async def _run_once(self, key: Key, deadline: Deadline) -> _Outcome:
        started = deadline.loop.time()
        try:
            with deadline:
                result = await self._reconcile(key)
            return _Outcome(_label(result), result.requeue_after)
        except Waiting as waiting:
            self._log.debug("waiting", reason=waiting.reason, message=waiting.message)
            return _Outcome("requeue_after" if waiting.poll else "success", waiting.poll)
        except Terminal as error:
            return await self._terminal(key, error)
        except Conflict as error:
            # Somebody was faster; the next look sees what they did.
            self._log.info("reconcile lost a race", error=error.message)
            return self._failed()
        except (Transient, ApiError) as error:
            self._log.warning("reconcile failed", reason=error.reason, error=str(error))
            return self._failed(error.retry_after)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Something that it awaited was cancelled: its failure, not our end.
            self._log.exception("reconcile awaited a cancelled task")
            return self._failed()
        except Exception as error:
            if isinstance(error, TimeoutError) and deadline.expired:
                self._metrics.timeouts.inc()
                self._log.error("reconcile timed out", seconds=self._timeout)
            else:
                self._metrics.panics.inc()
                self._log.exception("reconcile failed unexpectedly")
            return self._failed()
        finally:
            self._metrics.reconcile_seconds.observe(deadline.loop.time() - started)

    async def _terminal(self, key: Key, error: Terminal) -> _Outcome:
        self._metrics.terminal_errors.inc()
        self._log.error("reconcile cannot succeed", reason=error.reason, message=error.message)
        failed = self._failed()
        if self._on_terminal is not None:
            try:
                await self._on_terminal(key, error)
            except (Transient, ApiError) as problem:
                self._log.warning("terminal error not recorded", error=str(problem))
                return failed
        return failed._replace(retry=False)

    def _failed(self, retry_after: float | None = None) -> _Outcome:
        self._metrics.errors.inc()
        return _Outcome("error", retry_after, retry=True)

    def _schedule(self, key: Key, priority: int, outcome: _Outcome) -> None:
        if not self._accepts(key):
            self.queue.forget(key)
        elif outcome.retry and outcome.requeue_after is None:
            self.queue.add_rate_limited(key, priority)
        else:
            if not outcome.retry:
                self.queue.forget(key)
            if outcome.requeue_after is not None:
                self.queue.add_after(key, outcome.requeue_after, priority)

    def _unseen(self, writes: Sequence[Write]) -> list[tuple[Informer[Any], Write]]:
        return [
            (informer, write)
            for write in writes
            for _, informer in self._informers
            if informer.source is write.client
            and informer.model.resource == write.resource
            and not informer.has_seen(write)
        ]


class _Held:
    """A key that nobody works on until the caches show what was written under it, or
    CONSISTENCY_TIMEOUT is over."""

    def __init__(
        self,
        key: Key,
        unseen: Sequence[tuple[Informer[Any], Write]],
        loop: asyncio.AbstractEventLoop,
        on_end: Callable[..., None],
    ) -> None:
        self.key = key
        self._left = len(unseen)
        self._ended = False
        self._on_end = on_end
        self._timer = loop.call_later(CONSISTENCY_TIMEOUT, self._too_late)
        for informer, write in unseen:  # none of them has been seen: none is told of at once
            informer.when_seen(write, self._seen)

    def let_go(self) -> None:
        """Whatever the caches show."""
        self._end(late=False)

    def _seen(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._end(late=False)

    def _too_late(self) -> None:
        self._end(late=True)

    def _end(self, *, late: bool) -> None:
        if not self._ended:  # what is seen afterwards concerns nobody
            self._ended = True
            self._timer.cancel()
            self._on_end(self, late=late)


def _priority(change: Change[Any], watch: Watch[Any]) -> int:
    if change.new is not None and change.new.deleting:
        return HIGH_PRIORITY
    if change.initial:
        return LOW_PRIORITY
    return RAISED_PRIORITY if watch.pressing(change) else NORMAL_PRIORITY


def _label(result: Result) -> str:
    return "success" if result.requeue_after is None else "requeue_after"
