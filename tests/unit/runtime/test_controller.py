from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.support import virtual
from tests.support.fakeapi import FakeApi, Thing

from vks.kube.errors import Conflict, TooManyRequests
from vks.kube.objects import Key
from vks.kube.writes import note_write
from vks.runtime.controller import Controller
from vks.runtime.informer import Informer
from vks.runtime.metrics import Metrics
from vks.runtime.result import DONE, Result, Terminal, Transient, Waiting
from vks.runtime.watches import Watch

A = Key("n", "a")


class Rig:
    """A controller on a fake API, with everything that a manager would give it."""

    def __init__(
        self,
        reconcile: Callable[[Key], Awaitable[Result]],
        api: FakeApi,
        watch: Watch[Thing] = Watch(Thing),  # noqa: B008 - frozen
        **options: Any,
    ) -> None:
        self.api = api
        self.metrics = Metrics(CollectorRegistry())
        self.accepted: Callable[[Key], bool] = lambda _: True
        self.controller = Controller("things", reconcile, watches=[watch], **options)
        self.informer = Informer(api, Thing, rng=Random(1))
        self.controller.bind(
            [self.informer],
            metrics=self.metrics,
            rng=Random(1),
            accepts=lambda key: self.accepted(key),
        )

    def metric(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(name, {"controller": "things"} | labels)
        return value or 0.0


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[None]:
    follow = asyncio.create_task(rig.informer.run())
    work = asyncio.create_task(rig.controller.run())
    await asyncio.sleep(0.02)
    try:
        yield
    finally:
        rig.controller.stop()
        await asyncio.wait_for(work, 100)
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)


def times_of(error: Exception | Result, seconds: float) -> tuple[list[float], Rig]:
    """When a reconcile that always ends like that is run within so many seconds."""
    runs: list[float] = []
    api = FakeApi()
    api.put("a")

    async def main() -> Rig:
        start = asyncio.get_running_loop().time()

        async def reconcile(_: Key) -> Result:
            runs.append(asyncio.get_running_loop().time() - start)
            if isinstance(error, Result):
                return error
            raise error

        rig = Rig(reconcile, api)
        async with running(rig):
            await asyncio.sleep(seconds)
        return rig

    return runs, virtual.run(main())


def test_an_exception_is_retried_with_growing_delays() -> None:
    runs, rig = times_of(ValueError("a bug"), 10)
    gaps = [later - earlier for earlier, later in pairwise(runs)]
    assert len(runs) >= 10
    assert gaps[0] == pytest.approx(0.005, abs=0.004)
    assert gaps[-1] > 100 * gaps[0]
    assert rig.metric("controller_runtime_reconcile_errors_total") == len(runs)
    assert rig.metric("controller_runtime_reconcile_panics_total") == len(runs)
    assert rig.metric("controller_runtime_reconcile_total", result="error") == len(runs)


def test_a_lost_race_is_retried_soon_and_is_no_panic() -> None:
    runs, rig = times_of(Conflict("changed", status=409), 1)
    assert len(runs) > 3
    assert rig.metric("controller_runtime_reconcile_panics_total") == 0


@pytest.mark.parametrize(
    "error", [TooManyRequests("no", status=429, retry_after=7), Transient("Busy", retry_after=7)]
)
def test_retry_after_replaces_the_back_off(error: Exception) -> None:
    runs, _ = times_of(error, 15)
    assert [round(run) for run in runs] == [0, 7, 14]


def test_terminal_is_told_and_not_retried_until_the_object_changes() -> None:
    told: list[str] = []
    runs: list[Key] = []

    async def main() -> None:
        api = FakeApi()
        api.put("a")

        async def reconcile(key: Key) -> Result:
            runs.append(key)
            raise Terminal("BadSpec", "no such zone")

        async def on_terminal(key: Key, error: Terminal) -> None:
            told.append(error.reason)

        rig = Rig(reconcile, api, on_terminal=on_terminal)
        async with running(rig):
            await asyncio.sleep(5000)
            assert len(runs) == 1
            api.put("a", value=2)
            await asyncio.sleep(1)
            assert len(runs) == 2
        assert told == ["BadSpec", "BadSpec"]
        assert rig.metric("controller_runtime_terminal_reconcile_errors_total") == 2

    virtual.run(main())


def test_waiting_is_no_error_and_polls_when_told_to() -> None:
    runs, rig = times_of(Waiting("ServerBuilding", poll=5), 11)
    assert [round(run) for run in runs] == [0, 5, 10]
    assert rig.metric("controller_runtime_reconcile_errors_total") == 0
    runs, _ = times_of(Waiting("BootstrapData"), 1000)
    assert len(runs) == 1


def test_requeue_after_runs_again_then() -> None:
    runs, rig = times_of(Result(requeue_after=30), 65)
    assert [round(run) for run in runs] == [0, 30, 60]
    assert rig.metric("controller_runtime_reconcile_total", result="requeue_after") == 3


def test_a_reconcile_that_hangs_is_cut_off_and_retried() -> None:
    async def main() -> None:
        api = FakeApi()
        api.put("a")
        cut = 0

        async def reconcile(_: Key) -> Result:
            nonlocal cut
            try:
                await asyncio.sleep(10_000)
            except asyncio.CancelledError:
                cut += 1
                raise
            return DONE

        rig = Rig(reconcile, api, timeout=60)
        async with running(rig):
            await asyncio.sleep(125)
            assert cut == 2
            assert rig.metric("controller_runtime_reconcile_timeouts_total") == 2
            rig.controller.queue.discard(lambda _: True)
            await asyncio.sleep(60)

    virtual.run(main())


def test_workers_are_bounded_and_a_key_is_in_one_of_them() -> None:
    async def main() -> None:
        api = FakeApi()
        for number in range(40):
            api.put(f"t{number}")
        busy: set[Key] = set()
        most = 0

        async def reconcile(key: Key) -> Result:
            nonlocal most
            assert key not in busy
            busy.add(key)
            most = max(most, len(busy))
            rig.controller.enqueue(key, after=0.01)
            await asyncio.sleep(0.5)
            busy.remove(key)
            return DONE

        rig = Rig(reconcile, api, workers=7)
        async with running(rig):
            await asyncio.sleep(30)
        assert most == 7
        assert rig.metric("controller_runtime_reconcile_panics_total") == 0

    virtual.run(main())


def test_changes_overtake_the_first_list_and_deletions_overtake_changes() -> None:
    async def main() -> list[str]:
        api = FakeApi()
        for number in range(20):
            api.put(f"old-{number}")
        order: list[str] = []

        async def reconcile(key: Key) -> Result:
            order.append(key.name)
            await asyncio.sleep(1.0)
            return DONE

        rig = Rig(reconcile, api, workers=1)
        async with running(rig):
            for number in range(20):
                api.put(f"new-{number}")
            await asyncio.sleep(5)
            api.put("old-19", deletion_timestamp="2026-01-01T00:00:00Z")
            await asyncio.sleep(60)
        return order

    order = virtual.run(main())
    assert order[0].startswith("old-")  # there was nothing else yet
    assert order.index("old-19") < 8
    others = [name for name in order[1:] if name != "old-19"]
    assert others == sorted(others, key=lambda name: name.startswith("old-"))


def test_pressing_changes_overtake_others() -> None:
    async def main() -> list[str]:
        api = FakeApi()
        order: list[str] = []

        async def reconcile(key: Key) -> Result:
            order.append(key.name)
            await asyncio.sleep(1.0)
            return DONE

        watch = Watch(Thing, pressing=lambda change: change.object.value == 7)
        rig = Rig(reconcile, api, watch=watch, workers=1)
        async with running(rig):
            for number in range(5):
                api.put(f"new-{number}")
            await asyncio.sleep(0.5)
            api.put("new-4", value=7)
            api.put("new-3", deletion_timestamp="2026-01-01T00:00:00Z")
            await asyncio.sleep(60)
        return order

    assert virtual.run(main()) == ["new-0", "new-3", "new-4", "new-1", "new-2"]


@pytest.mark.parametrize(("delay", "expected"), [(2.0, 2.0), (60.0, 5.0)])
def test_a_key_waits_until_the_cache_shows_its_own_write(delay: float, expected: float) -> None:
    async def main() -> None:
        api = FakeApi()
        api.put("a")
        runs: list[tuple[float, int]] = []
        writing = False
        loop = asyncio.get_running_loop()

        async def reconcile(key: Key) -> Result:
            cached = rig.informer.store.get(key)
            assert cached is not None
            if not writing:
                return DONE
            runs.append((loop.time(), cached.value))
            if len(runs) == 1:
                # The write is confirmed now, the watch tells of it later.
                send, api.send = api.send, lambda event: None  # type: ignore[method-assign]
                written = api.put("a", value=1)
                note_write(api, Thing.resource, written)
                api.send = send  # type: ignore[method-assign]
                loop.call_later(delay, lambda: send(api.history[-1]))
                rig.controller.enqueue(key)  # somebody has it looked at again at once
            return DONE

        rig = Rig(reconcile, api)
        async with running(rig):
            writing = True
            rig.controller.enqueue(A)
            await asyncio.sleep(90)
            first, second = runs[:2]
            assert second[0] - first[0] == pytest.approx(expected, abs=0.1)
            assert second[1] == (1 if delay < 5 else 0)

    virtual.run(main())


def test_an_object_that_lost_its_last_finalizer_is_not_looked_at_again() -> None:
    async def main() -> None:
        api = FakeApi()
        api.put("a", deletion_timestamp="2026-01-01T00:00:00Z", finalizers=("mine",))
        seen: list[bool] = []
        loop = asyncio.get_running_loop()

        async def reconcile(key: Key) -> Result:
            cached = rig.informer.store.get(key)
            seen.append(cached is not None)
            if cached is not None:
                # The answer is the object as it was last; the watch tells later that it is gone.
                meta = msgspec.structs.replace(cached.metadata, finalizers=())
                note_write(api, Thing.resource, msgspec.structs.replace(cached, metadata=meta))
                loop.call_later(1.0, api.delete, "a")
                rig.controller.enqueue(key)  # somebody has it looked at again at once
            return DONE

        rig = Rig(reconcile, api)
        async with running(rig):
            await asyncio.sleep(20)
        assert seen[0] is True
        assert not any(seen[1:])

    virtual.run(main())


def test_everything_is_looked_at_again_after_the_resync_period() -> None:
    async def main() -> None:
        api = FakeApi()
        api.put("a")
        runs: list[Key] = []

        async def reconcile(key: Key) -> Result:
            runs.append(key)
            return DONE

        async with running(Rig(reconcile, api, resync=36_000)):

            async def bookmarks() -> None:
                while True:
                    await asyncio.sleep(60)
                    api.bookmark()

            beat = asyncio.create_task(bookmarks())
            await asyncio.sleep(40_000)
            beat.cancel()
        assert runs == [A, A]

    virtual.run(main())


def test_stopping_finishes_what_runs_and_starts_nothing() -> None:
    async def main() -> None:
        api = FakeApi()
        for number in range(5):
            api.put(f"t{number}")
        finished: list[Key] = []

        async def reconcile(key: Key) -> Result:
            await asyncio.sleep(3)
            finished.append(key)
            return DONE

        async with running(Rig(reconcile, api, workers=2)):
            await asyncio.sleep(1)
        assert len(finished) == 2

    virtual.run(main())


def test_a_released_part_is_finished_before_it_is_handed_over() -> None:
    async def main() -> None:
        api = FakeApi()
        api.put("a")
        finished = 0

        async def reconcile(_: Key) -> Result:
            nonlocal finished
            await asyncio.sleep(3)
            finished += 1
            return Result(requeue_after=1)

        rig = Rig(reconcile, api)
        async with running(rig):
            rig.accepted = lambda _: False
            await rig.controller.release(lambda _: True)
            assert finished == 1
            await asyncio.sleep(100)
            assert finished == 1

    virtual.run(main())


def test_metrics_have_the_names_of_controller_runtime() -> None:
    _, rig = times_of(DONE, 1)
    text = generate_latest(rig.metrics.registry).decode()
    for name in (
        "controller_runtime_reconcile_total",
        "controller_runtime_reconcile_errors_total",
        "controller_runtime_terminal_reconcile_errors_total",
        "controller_runtime_reconcile_time_seconds_bucket",
        "controller_runtime_max_concurrent_reconciles",
        "controller_runtime_active_workers",
        "workqueue_depth",
        "workqueue_adds_total",
        "workqueue_queue_duration_seconds_bucket",
        "workqueue_work_duration_seconds_bucket",
        "workqueue_unfinished_work_seconds",
        "workqueue_longest_running_processor_seconds",
        "workqueue_retries_total",
    ):
        assert f"\n{name}{{" in text, name
    assert "# TYPE rest_client_requests_total counter" in text
    assert "# TYPE leader_election_master_status gauge" in text
