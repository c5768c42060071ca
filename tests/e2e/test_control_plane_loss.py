"""One control-plane server after the other is lost, each in another way, and comes back."""

from __future__ import annotations

import time

import pytest
from tests.support.accidents import Accident, crashed, switched_off, unplugged
from tests.support.localregion import LocalRegion, until
from tests.support.workload import Access, Probe, Workload, is_ready

_LOST_SECONDS = 6.0


def all_planes_answer(access: Access, addresses: list[str]) -> bool:
    """Every API server says by itself that it and its etcd member are ready."""
    return all(access.answers("/readyz", address) for address in addresses)


@pytest.mark.parametrize(
    ("number", "accident"),
    [(0, crashed), (1, switched_off), (2, unplugged)],
    ids=["crash", "switch-off", "cable"],
)
def test_the_api_stays_reachable_while_a_control_plane_is_lost(
    region: LocalRegion,
    demo: Workload,
    number: int,
    accident: Accident,
) -> None:
    planes = sorted(
        (node for node in region.read("pool", "nodes", "demo")["items"] if not node["pool"]),
        key=lambda node: node["zone"],
    )
    addresses = [a["address"] for p in planes for a in p["addresses"] if a["type"] == "InternalIP"]
    assert len(addresses) == 3
    lost, access = planes[number], demo.access
    until(lambda: all_planes_answer(access, addresses), bool, within=30.0)
    probe = Probe(access)
    with probe.running():
        time.sleep(1.0)
        with accident(region, lost["serverId"]):
            assert not access.answers("/readyz", addresses[number])
            time.sleep(_LOST_SECONDS)
        until(lambda: all_planes_answer(access, addresses), bool, within=90.0)
        until(
            lambda: [is_ready(node) for node in demo.nodes()],
            lambda ready: ready == [True] * len(ready),
            within=60.0,
        )
    print(f"\n{accident.__name__} {lost['zone']}: {probe}")  # shown by `pytest -rA` or -s
    assert probe.failed_twice == [], f"{probe}: {probe.failed_once}"
    assert len(probe.failed_once) <= 5, f"{probe}: {probe.failed_once}"
    assert probe.asked > 50
