from __future__ import annotations

import asyncio

from tests.support import virtual

from vks.kube.alarm import Alarm


class Rung:
    """When the alarm rang, and how many timers were made for it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.times: list[float] = []
        self.timers = 0
        call_at = self.loop.call_at

        def counted(*args: object, **options: object) -> asyncio.TimerHandle:
            self.timers += 1
            return call_at(*args, **options)  # type: ignore[arg-type]

        self.loop.call_at = counted  # type: ignore[method-assign]
        self.began = self.loop.time()
        self.alarm = Alarm(self.loop, lambda: self.times.append(self.loop.time() - self.began))


def test_it_rings_once_when_the_limit_is_over() -> None:
    async def main() -> None:
        rung = Rung()
        rung.alarm.set(30)
        await asyncio.sleep(100)
        assert rung.times == [30]
        rung.alarm.set(5)
        await asyncio.sleep(100)
        assert rung.times == [30, 105]

    virtual.run(main())


def test_a_cleared_one_does_not_ring() -> None:
    async def main() -> None:
        rung = Rung()
        rung.alarm.set(30)
        rung.alarm.clear()
        await asyncio.sleep(100)
        assert rung.times == []

    virtual.run(main())


def test_the_last_limit_counts_whether_it_is_later_or_earlier() -> None:
    async def main() -> None:
        rung = Rung()
        rung.alarm.set(30)
        await asyncio.sleep(20)
        rung.alarm.set(30)
        await asyncio.sleep(25)
        assert rung.times == []
        rung.alarm.set(1)
        await asyncio.sleep(100)
        assert rung.times == [46]

    virtual.run(main())


def test_many_limits_that_are_met_need_few_timers() -> None:
    async def main() -> None:
        rung = Rung()
        before = rung.timers
        for _ in range(1000):
            rung.alarm.set(30)
            rung.alarm.clear()
        assert rung.timers - before == 1

    virtual.run(main())


def test_a_closed_one_leaves_no_timer() -> None:
    async def main() -> None:
        rung = Rung()
        rung.alarm.set(30)
        rung.alarm.close()
        rung.alarm.close()
        await asyncio.sleep(100)
        assert rung.times == []

    virtual.run(main())
