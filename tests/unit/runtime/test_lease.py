from __future__ import annotations

import asyncio
from random import Random

import pytest
from tests.support import virtual
from tests.support.fakeleases import FakeLeases

from vks.runtime.clock import SystemClock
from vks.runtime.lease import Elector, LeaderElection, LeadershipLostError, LeaseLock

CONFIG = LeaderElection("system", "leader")


def elector(server: FakeLeases, who: str) -> Elector:
    lock = LeaseLock(server.as_seen_by(who), CONFIG, identity=who, clock=SystemClock())
    return Elector(lock, rng=Random(who))


def test_one_of_many_leads_and_the_next_follows_within_the_lease() -> None:
    async def main() -> None:
        server = FakeLeases()
        loop = asyncio.get_running_loop()
        candidates = {name: elector(server, name) for name in ("a", "b", "c")}
        waits = {asyncio.create_task(e.acquire(), name=n): n for n, e in candidates.items()}
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert len(done) == 1
        first = waits[done.pop()]
        holding = asyncio.create_task(candidates[first].hold())
        await asyncio.sleep(100)
        assert all(not task.done() for task in pending)
        holding.cancel()  # killed: it releases nothing
        died = loop.time()
        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        took = loop.time() - died
        assert CONFIG.lease_duration - CONFIG.retry_period < took < CONFIG.lease_duration + 5
        for task in pending:
            task.cancel()

    virtual.run(main())


def test_a_holder_that_cannot_renew_stops_before_anyone_else_may_start() -> None:
    async def main() -> None:
        server = FakeLeases()
        loop = asyncio.get_running_loop()
        old, new = elector(server, "old"), elector(server, "new")
        await old.acquire()
        holding = asyncio.create_task(old.hold())
        taking = asyncio.create_task(new.acquire())
        await asyncio.sleep(30)
        server.down.add("old")
        with pytest.raises(LeadershipLostError):
            await holding
        stopped = loop.time()
        assert not taking.done()
        await taking
        assert loop.time() > stopped

    virtual.run(main())


def test_a_released_lease_is_taken_at_the_next_try() -> None:
    async def main() -> None:
        server = FakeLeases()
        loop = asyncio.get_running_loop()
        old, new = elector(server, "old"), elector(server, "new")
        await old.acquire()
        taking = asyncio.create_task(new.acquire())
        await asyncio.sleep(5)
        await old.lock.release()
        released = loop.time()
        await taking
        assert loop.time() - released < 3
        assert server.leases["leader"]["spec"]["leaseTransitions"] == 2 - 1

    virtual.run(main())


@pytest.mark.parametrize("after", [0.0, 0.005, 0.015, 0.025])
def test_a_renewal_cut_off_at_any_moment_does_not_keep_the_lease_from_being_released(
    after: float,
) -> None:
    async def main() -> None:
        server = FakeLeases()
        old = elector(server, "old")
        await old.acquire()
        holding = asyncio.create_task(old.hold())
        await asyncio.sleep(CONFIG.retry_period + after)
        holding.cancel()
        await asyncio.wait({holding})
        await old.lock.release()
        assert server.leases["leader"]["spec"]["holderIdentity"] == ""

    virtual.run(main())


@pytest.mark.parametrize("after", [0.015, 0.025, 0.035])
def test_a_lease_whose_taking_was_cut_off_is_released(after: float) -> None:
    async def main() -> None:
        server = FakeLeases()
        candidate = elector(server, "new")
        taking = asyncio.create_task(candidate.acquire())
        await asyncio.sleep(after)
        taking.cancel()
        await asyncio.wait({taking})
        await candidate.lock.release()
        holder = server.leases.get("leader", {"spec": {"holderIdentity": ""}})
        assert holder["spec"]["holderIdentity"] == ""

    virtual.run(main())


def test_what_another_one_holds_is_not_released() -> None:
    async def main() -> None:
        server = FakeLeases()
        old, new = elector(server, "old"), elector(server, "new")
        await old.acquire()
        taking = asyncio.create_task(new.acquire())
        await asyncio.sleep(CONFIG.lease_duration * 2)
        await taking
        await old.lock.release()
        assert server.leases["leader"]["spec"]["holderIdentity"] == "new"

    virtual.run(main())


def test_renewing_in_time_is_required_to_be_possible() -> None:
    with pytest.raises(ValueError, match="renew_deadline"):
        LeaderElection("n", "x", lease_duration=10, renew_deadline=10)
