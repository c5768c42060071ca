"""For how long what a phase of a VerdaCluster came to is taken for granted. Time is virtual."""

from __future__ import annotations

import asyncio

from tests.support import virtual

from vks.kube.objects import ObjectMeta
from vks.provider.verdacluster.settled import VERIFY, Settled
from vks.resources.fields import LocalReference
from vks.resources.verdacluster import VerdaCluster, VerdaClusterSpec
from vks.runtime.clock import SystemClock

PHASES = ("network", "balancer")


def cluster(generation: int = 1, uid: str = "u") -> VerdaCluster:
    spec = VerdaClusterSpec(region="tokyo", identity_ref=LocalReference(name="cloud"))
    return VerdaCluster(metadata=ObjectMeta(name="c", uid=uid, generation=generation), spec=spec)


def test_a_phase_is_known_until_it_is_time_to_compare() -> None:
    async def main() -> None:
        settled = Settled(SystemClock())
        assert settled.get(cluster(), "network") is None
        settled.note(cluster(), "network", "net-1")
        await asyncio.sleep(60.0)
        assert settled.get(cluster(), "network") == "net-1"
        assert settled.get(cluster(uid="another"), "network") is None
        await asyncio.sleep(VERIFY)
        assert settled.get(cluster(), "network") is None

    virtual.run(main())


def test_all_phases_are_known_as_long_as_the_oldest() -> None:
    async def main() -> None:
        settled = Settled(SystemClock())
        settled.note(cluster(), "network", "net-1")
        assert settled.left(cluster(), PHASES) is None
        await asyncio.sleep(100.0)
        settled.note(cluster(), "balancer", "lb-1")
        assert settled.left(cluster(), PHASES) == VERIFY - 100.0

    virtual.run(main())


def test_another_generation_is_looked_at_unless_it_is_our_own_doing() -> None:
    async def main() -> None:
        settled = Settled(SystemClock())
        settled.note(cluster(1), "network", "net-1")
        settled.observe(cluster(1), 2)
        assert settled.get(cluster(2), "network") == "net-1"
        assert settled.get(cluster(3), "network") is None
        settled.note(cluster(3), "network", "net-2")
        assert settled.get(cluster(3), "network") == "net-2"
        settled.forget(cluster(3))
        assert settled.get(cluster(3), "network") is None

    virtual.run(main())
