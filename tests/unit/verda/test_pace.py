"""How a limited cloud is asked, against one that counts: time is virtual."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from tests.support.virtual import run as run_virtual

from vks.verda.errors import RateLimited
from vks.verda.pace import SLOWEST, Pace, urgent

WORKERS = 20
AT_ONCE = 8


@dataclass
class LimitedCloud:
    """A token bucket: `rate` calls a second, `burst` at once."""

    rate: float
    burst: float
    retry_after: float = 1.0
    level: float = field(init=False)
    filled: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.level = self.burst

    async def call(self, pace: Pace, name: str = "") -> None:
        """Until it has been taken."""
        while True:
            async with pace.turn():
                await asyncio.sleep(0.01)  # on its way
            now = asyncio.get_running_loop().time()
            self.level = min(self.burst, self.level + (now - self.filled) * self.rate)
            self.filled = now
            if self.level >= 1.0:
                self.level -= 1.0
                self.answers["taken"] += 1
                self.order.append(name)
                pace.taken()
                return
            self.answers["refused"] += 1
            await pace.refused(self.retry_after)


async def _work(cloud: LimitedCloud, calls: int) -> float:
    """Seconds that the workers needed for the calls, each worker one at a time."""
    pace = Pace(AT_ONCE)
    left = iter(range(calls))

    async def worker() -> None:
        for number in left:
            await cloud.call(pace, str(number))

    began = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(WORKERS):
            tasks.create_task(worker())
    return asyncio.get_running_loop().time() - began


def test_a_cloud_without_a_limit_is_not_held_up() -> None:
    cloud = LimitedCloud(rate=1e9, burst=1e9)
    assert run_virtual(_work(cloud, 2000)) == pytest.approx(2000 / AT_ONCE * 0.01, rel=0.1)
    assert cloud.answers["refused"] == 0


@pytest.mark.parametrize("rate", [5.0, 20.0, 50.0])
@pytest.mark.parametrize("seconds_at_once", [1.0, 5.0])
def test_only_the_limit_holds_up_and_little_is_wasted(rate: float, seconds_at_once: float) -> None:
    cloud = LimitedCloud(rate=rate, burst=rate * seconds_at_once)
    calls = int(rate * 30)
    took = run_virtual(_work(cloud, calls))
    assert took < 1.1 * (calls - cloud.burst) / rate + 2.0
    # Those that were on their way when the limit was met first, again after what the cloud had let
    # pass at once, and a few that try it again.
    assert cloud.answers["refused"] <= 2 * AT_ONCE + calls / 50


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_refusals_that_have_another_reason_do_not_stop_everything(share: float) -> None:
    async def story() -> float:
        rng, pace = Random(1), Pace(AT_ONCE)

        async def call() -> None:
            while True:
                async with pace.turn():
                    await asyncio.sleep(0.01)
                if rng.random() >= share:
                    return pace.taken()
                await pace.refused(1.0)

        await asyncio.gather(*(call() for _ in range(100)))
        return asyncio.get_running_loop().time()

    assert run_virtual(story()) < 100 / SLOWEST / (1 - share) * 1.5


def test_a_limit_that_is_lifted_is_noticed() -> None:
    async def story() -> tuple[float, float]:
        cloud, pace = LimitedCloud(rate=10.0, burst=10.0), Pace(AT_ONCE)
        for _ in range(30):
            await asyncio.gather(*(cloud.call(pace) for _ in range(10)))
        limited = pace.rate
        cloud.rate = cloud.burst = 1e9
        began = asyncio.get_running_loop().time()
        while pace.rate is not None and pace.rate < 40.0:
            await asyncio.gather(*(cloud.call(pace) for _ in range(10)))
        assert limited is not None
        return limited, asyncio.get_running_loop().time() - began

    limited, took = run_virtual(story())
    assert 8.0 < limited < 12.0
    assert took < 120.0


def test_what_is_urgent_overtakes_what_waits() -> None:
    async def story() -> LimitedCloud:
        cloud, pace = LimitedCloud(rate=10.0, burst=10.0), Pace(AT_ONCE)

        async def deletion() -> None:
            await asyncio.sleep(5.0)
            with urgent():
                await cloud.call(pace, "deletion")

        await asyncio.gather(*(cloud.call(pace, "creation") for _ in range(200)), deletion())
        return cloud

    cloud = run_virtual(story())
    assert 40 < cloud.order.index("deletion") < 70  # of two hundred: what 5 s let through


def test_a_long_pause_is_left_to_the_caller_and_nothing_is_asked_meanwhile() -> None:
    async def story() -> tuple[list[float], int]:
        cloud, pace = LimitedCloud(rate=10.0, burst=1.0, retry_after=30.0), Pace(AT_ONCE)
        waits = []
        await cloud.call(pace)
        for _ in range(3):
            with pytest.raises(RateLimited) as refused:
                await cloud.call(pace)
            waits.append(refused.value.retry_after)
            await asyncio.sleep(1.0)
        asked = cloud.answers.total()
        await asyncio.sleep(30.0)
        await cloud.call(pace)
        return waits, asked

    waits, asked = run_virtual(story())
    assert waits == pytest.approx([30.0, 29.0, 28.0], abs=0.1)
    assert asked == 2


def test_those_who_wait_learn_of_a_long_pause() -> None:
    async def story() -> int:
        cloud, pace = LimitedCloud(rate=2.0, burst=2.0), Pace(AT_ONCE)
        calls = [asyncio.create_task(cloud.call(pace)) for _ in range(20)]
        await asyncio.sleep(3.0)
        with pytest.raises(RateLimited):
            await pace.refused(60.0)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        return sum(isinstance(outcome, RateLimited) for outcome in outcomes)

    assert run_virtual(story()) > 10


def test_a_caller_who_gives_up_does_not_take_a_turn_along() -> None:
    async def story() -> float:
        cloud, pace = LimitedCloud(rate=5.0, burst=5.0), Pace(AT_ONCE)
        calls = [asyncio.create_task(cloud.call(pace)) for _ in range(60)]
        await asyncio.sleep(2.0)
        for call in calls[:50]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return asyncio.get_running_loop().time()

    assert run_virtual(story()) < 6.0
