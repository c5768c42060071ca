"""Making things once although answers get lost and callers give up."""

from __future__ import annotations

import asyncio

import pytest

from vks.verda.errors import Unavailable
from vks.verda.once import Flights, create_once


class World:
    """A cloud with one kind of thing; `fail` says what happens to each creation."""

    def __init__(self, *fail: str) -> None:
        self.made: list[str] = []
        self.creations = 0
        self._fail = list(fail)

    async def find(self) -> str | None:
        return self.made[0] if self.made else None

    async def create(self) -> str:
        self.creations += 1
        await asyncio.sleep(0.01)
        failure = self._fail.pop(0) if self._fail else ""
        if failure == "refused":
            raise Unavailable("503", status=503)
        if failure == "no answer":
            raise Unavailable("reset", status=0)
        self.made.append(f"thing-{self.creations}")
        if failure == "lost answer":
            raise Unavailable("reset", status=0)
        return self.made[-1]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vks.verda.once.LOOK_AGAIN", (0.0, 0.0))


async def test_what_is_there_is_not_made_again() -> None:
    world = World()
    world.made.append("old")
    assert await create_once(world.find, world.create) == "old"
    assert world.creations == 0


async def test_a_lost_answer_is_found_again() -> None:
    world = World("lost answer")
    assert await create_once(world.find, world.create) == "thing-1"
    assert world.creations == 1


async def test_a_refused_creation_is_tried_again_once_nothing_is_there() -> None:
    world = World("refused", "refused")
    assert await create_once(world.find, world.create) == "thing-3"
    assert len(world.made) == 1


async def test_a_creation_without_an_answer_is_not_repeated_blindly() -> None:
    world = World("no answer")
    with pytest.raises(Unavailable):
        await create_once(world.find, world.create)
    assert world.creations == 1


async def test_callers_at_the_same_time_share_one_call() -> None:
    flights, world = Flights(), World()
    calls = (flights.run("k", world.create) for _ in range(5))
    assert set(await asyncio.gather(*calls)) == {"thing-1"}


async def test_a_caller_that_gives_up_leaves_the_call_to_the_next_one() -> None:
    flights, world = Flights(), World()
    first = asyncio.create_task(flights.run("k", world.create))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert await flights.run("k", world.create) == "thing-1"
    assert world.creations == 1


async def test_settling_waits_for_calls_that_belong_only() -> None:
    flights, world = Flights(), World()
    abandoned = asyncio.create_task(flights.run(("server", "a"), world.create))
    await asyncio.sleep(0)
    abandoned.cancel()
    await flights.settle(lambda key: key[1] == "b")
    assert world.made == []
    await flights.settle(lambda key: key[1] == "a")
    assert world.made == ["thing-1"]
