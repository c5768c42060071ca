"""One list of servers for all, often only while somebody waits. Time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from vks.kube.objects import Key
from vks.verda.compute import Server
from vks.verda.errors import RateLimited, Unavailable
from vks.verda.poller import FAST, PATIENT, SLOW, ServerPoller

pytestmark = pytest.mark.asyncio(loop_scope="function")
KEY = Key("p-test", "m")


class LoopClock:
    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return datetime.now(UTC)


class FakeCompute:
    """Nova's list, and how often and when it was asked for."""

    def __init__(self) -> None:
        self.listed: list[Server] = []
        self.times: list[float] = []
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def servers(self) -> list[Server]:
        self.times.append(asyncio.get_running_loop().time())
        if self.error is not None:
            raise self.error
        return list(self.listed)

    async def find_server(self, server_id: str) -> Server | None:
        self.asked.append(server_id)
        return next((server for server in self.listed if server.id == server_id), None)


class Setup:
    def __init__(self) -> None:
        self.compute = FakeCompute()
        self.told: list[Key] = []
        compute: Any = self.compute
        self.poller = ServerPoller(compute, self.told.append, LoopClock())

    @contextmanager
    def running(self) -> Iterator[None]:
        task = asyncio.create_task(self.poller.run())
        try:
            yield
        finally:
            task.cancel()


@pytest.mark.looptime
async def test_nobody_is_listed_for_nobody() -> None:
    setup = Setup()
    with setup.running():
        await asyncio.sleep(10 * SLOW)
    assert setup.compute.times == []


@pytest.mark.looptime
async def test_a_server_that_was_just_made_is_not_asked_for() -> None:
    setup = Setup()
    await setup.poller.look("other")
    setup.compute.asked.clear()
    made = Server(id="s", status="BUILD")
    setup.poller.follow("s", KEY, waiting=True, server=made)
    assert await setup.poller.look("s") == made
    assert setup.compute.asked == []
    setup.compute.listed = [Server(id="s", status="ACTIVE")]
    with setup.running():
        await asyncio.sleep(1)
    assert await setup.poller.look("s") == Server(id="s", status="ACTIVE")
    assert setup.told == [KEY]


@pytest.mark.looptime
async def test_a_waiting_machine_hears_within_half_a_second() -> None:
    setup = Setup()
    setup.compute.listed = [Server(id="s", status="BUILD")]
    with setup.running():
        await asyncio.sleep(7)
        setup.poller.follow("s", KEY, waiting=True)
        await asyncio.sleep(1.2)
        setup.told.clear()
        setup.compute.listed = [Server(id="s", status="ACTIVE")]
        await asyncio.sleep(FAST + 0.01)
        assert setup.told == [KEY]
        server = await setup.poller.look("s")
        assert server is not None
        assert server.status == "ACTIVE"


@pytest.mark.looptime
async def test_without_a_wait_lists_are_rare_and_still_notice_a_deletion() -> None:
    setup = Setup()
    setup.compute.listed = [Server(id="s", status="ACTIVE")]
    with setup.running():
        setup.poller.follow("s", KEY, waiting=False)
        await asyncio.sleep(SLOW * 10 + 1)
        assert len(setup.compute.times) <= 11
        setup.told.clear()
        setup.compute.listed = []
        await asyncio.sleep(SLOW + 1)
        assert setup.told == [KEY]
        assert await setup.poller.look("s") is None


@pytest.mark.looptime
async def test_after_a_restart_one_list_serves_every_machine() -> None:
    setup = Setup()
    setup.compute.listed = [Server(id=f"s-{number}", status="ACTIVE") for number in range(50)]
    with setup.running():

        async def machine(number: int) -> None:
            server = await setup.poller.look(f"s-{number}")
            assert server is not None
            setup.poller.follow(server.id, Key("p-test", f"m-{number}"), waiting=False)

        await asyncio.gather(*(machine(number) for number in range(50)))
        assert len(setup.compute.times) <= 2  # the machines' and its own
        assert setup.compute.asked == []
        await asyncio.sleep(SLOW + 1)
        assert setup.told == []  # what the next list shows is no news
        setup.compute.listed.append(Server(id="new", status="BUILD"))
        assert await setup.poller.look("new") is not None
        assert setup.compute.asked == ["new"]


@pytest.mark.looptime
async def test_a_long_wait_becomes_patient() -> None:
    setup = Setup()
    setup.compute.listed = [Server(id="s", status="BUILD")]
    with setup.running():
        setup.poller.follow("s", KEY, waiting=True)
        await asyncio.sleep(600)
        before = len(setup.compute.times)
        await asyncio.sleep(100)
        assert len(setup.compute.times) - before <= 100 / PATIENT + 1


@pytest.mark.looptime
async def test_errors_slow_it_down_and_a_rate_limit_is_kept() -> None:
    setup = Setup()
    setup.compute.error = RateLimited("later", retry_after=20.0)
    with setup.running():
        setup.poller.follow("s", KEY, waiting=True)
        await asyncio.sleep(61)
        gaps = [b - a for a, b in zip(setup.compute.times, setup.compute.times[1:], strict=False)]
        assert gaps
        assert min(gaps) >= 20.0
        setup.compute.error = Unavailable("down")
        await asyncio.sleep(120)
        setup.compute.error = None
        setup.compute.listed = [Server(id="s", status="ACTIVE")]
        await asyncio.sleep(SLOW + 1)
        assert KEY in setup.told
