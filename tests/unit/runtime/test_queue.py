from __future__ import annotations

import asyncio

import pytest
from tests.support import virtual

from vks.runtime.queue import LOW_PRIORITY, QueueShutDownError, WorkQueue


def test_a_key_added_while_held_runs_once_more() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        queue.add("a")
        key, _ = await queue.get()
        queue.add(key)
        queue.add(key)
        assert len(queue) == 0  # never in two workers
        queue.done(key)
        assert (await queue.get())[0] == "a"
        queue.done("a")
        assert len(queue) == 0

    virtual.run(main())


def test_back_off_doubles_from_5_ms_to_1000_s_until_forgotten() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        delays = [queue.add_rate_limited("a") for _ in range(2000)]
        assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
        assert delays[-1] == 1000.0
        queue.forget("a")
        assert queue.add_rate_limited("a") == 0.005

    virtual.run(main())


def test_the_earliest_of_several_delays_counts() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        loop = asyncio.get_running_loop()
        start = loop.time()
        queue.add_after("a", 30)
        queue.add_after("a", 5)
        queue.add_after("a", 60)
        await queue.get()
        assert loop.time() - start == pytest.approx(5, abs=0.1)
        queue.done("a")
        await asyncio.sleep(100)
        assert len(queue) == 0

    virtual.run(main())


def test_edits_overtake_the_initial_list() -> None:
    async def main() -> None:
        queue: WorkQueue[int] = WorkQueue()
        for key in range(100):
            queue.add(key, LOW_PRIORITY)
        queue.add(99)
        assert await queue.get() == (99, 0)
        assert await queue.get() == (0, LOW_PRIORITY)

    virtual.run(main())


def test_shutdown_hands_out_the_rest_and_then_ends_workers() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        queue.shut_down()
        queue.add("b")
        assert (await queue.get())[0] == "a"
        with pytest.raises(QueueShutDownError):
            await queue.get()

    virtual.run(main())


def test_a_cancelled_worker_does_not_take_a_wake_up_with_it() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        first = asyncio.create_task(queue.get())
        second = asyncio.create_task(queue.get())
        await virtual.settle()
        queue.add("a")  # wakes the first
        first.cancel()
        assert (await asyncio.wait_for(second, 1))[0] == "a"

    virtual.run(main())


def test_discarded_keys_do_not_come_back() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("held")
        await queue.get()
        queue.add("held")
        queue.add("ready")
        queue.add_after("later", 5)
        queue.add("kept")
        queue.discard(lambda key: key != "kept")
        queue.done("held")
        await asyncio.sleep(10)
        assert len(queue) == 1

    virtual.run(main())
