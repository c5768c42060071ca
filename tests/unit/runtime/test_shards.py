from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tests.support import virtual
from tests.support.fakeleases import FakeLeases

from vks.kube.objects import Key
from vks.runtime.clock import SystemClock
from vks.runtime.shards import Sharding, ShardListener, Shards, assign, fnv1a_64, slot_of

CONFIG = Sharding("system", "group", slots=8)

#: A namespace of every slot. The hash spreads names by their first characters.
NAMESPACES = {slot_of(name, CONFIG.slots): name for name in (f"{i:x}-team" for i in range(999))}


def test_the_hash_is_fnv1a() -> None:
    # Test vectors of the reference implementation (Noll).
    assert fnv1a_64(b"") == 0xCBF29CE484222325
    assert fnv1a_64(b"a") == 0xAF63DC4C8601EC8C
    assert fnv1a_64(b"foobar") == 0x85944171F73967E8


def test_the_names_above_cover_every_slot() -> None:
    assert NAMESPACES.keys() == set(range(CONFIG.slots))


@given(st.text(max_size=30), st.integers(1, 64))
def test_every_namespace_has_one_slot(namespace: str, slots: int) -> None:
    assert 0 <= slot_of(namespace, slots) < slots


@given(st.integers(1, 64), st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=10))
def test_slots_are_spread_evenly_and_alike_for_all(slots: int, members: set[str]) -> None:
    owners = assign(slots, sorted(members))
    assert owners.keys() == set(range(slots))
    most = -(-slots // len(members))
    assert max(Counter(owners.values()).values()) <= most


class Replica:
    def __init__(self, server: FakeLeases, name: str, held: dict[int, str]) -> None:
        self.name = name
        self.shards = Shards(
            server.as_seen_by(name), CONFIG, identity=name, clock=SystemClock(), rng=Random(name)
        )
        self.held = held
        self.shards.listeners.append(ShardListener(self.gained, self.release))
        self.drains = 0

    def slots(self, matches: Callable[[Key], bool]) -> list[int]:
        return [slot for slot, namespace in NAMESPACES.items() if matches(Key(namespace, "x"))]

    def gained(self, matches: Callable[[Key], bool]) -> None:
        for slot in self.slots(matches):
            assert slot not in self.held, "two replicas work on one slot"
            self.held[slot] = self.name

    async def release(self, matches: Callable[[Key], bool]) -> None:
        for slot in self.slots(matches):
            assert not self.shards.owns(Key(NAMESPACES[slot], "x"))
            await asyncio.sleep(6)  # a reconcile is still running
            assert self.held.pop(slot) == self.name
            self.drains += 1


def test_replicas_share_the_slots_hand_over_after_draining_and_take_over_the_dead() -> None:
    async def main() -> None:
        server = FakeLeases()
        held: dict[int, str] = {}
        a, b = Replica(server, "a", held), Replica(server, "b", held)
        first = asyncio.create_task(a.shards.run())
        await asyncio.sleep(10)
        assert set(held.values()) == {"a"}
        assert len(held) == 8
        second = asyncio.create_task(b.shards.run())
        await asyncio.sleep(120)
        assert Counter(held.values()) == {"a": 4, "b": 4}
        assert a.drains == 4
        second.cancel()  # killed: nothing is released
        for slot in b.shards.active:
            del held[slot]
        await asyncio.sleep(120)
        assert Counter(held.values()) == {"a": 8}
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)

    virtual.run(main())


def test_a_replica_that_cannot_renew_ends() -> None:
    async def main() -> None:
        server = FakeLeases()
        a = Replica(server, "a", {})
        running = asyncio.create_task(a.shards.run())
        await asyncio.sleep(20)
        server.down.add("a")
        await asyncio.wait({running}, timeout=CONFIG.lease_duration)
        assert running.done()
        assert running.exception() is not None

    virtual.run(main())
