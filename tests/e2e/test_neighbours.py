"""A second region beside the first, killed in the middle of its work: `kill -9` of a test run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support import leftovers
from tests.support.clusters import small_cluster
from tests.support.localregion import LocalRegion, region_name, until


@pytest.fixture
def neighbour(region: LocalRegion) -> Iterator[LocalRegion]:
    """A region of another name that is up beside the first one."""
    neighbour = LocalRegion(region_name("e2e-kill"))
    neighbour.purge()
    neighbour.up()
    yield neighbour
    neighbour.purge()


def kill_everything(region: LocalRegion) -> None:
    """All programs at once, supervisor first; the servers and load balancers live on."""
    processes = region.processes()
    region.kill(processes.pop("supervisor"))
    for who in processes.values():
        region.kill(who)


def test_a_killed_region_goes_on_when_it_is_brought_up_again_and_leaves_nothing(
    region: LocalRegion, neighbour: LocalRegion
) -> None:
    others = {name: who.pid for name, who in region.processes().items()}
    assert set(neighbour.instance.ports().values()).isdisjoint(region.instance.ports().values())
    created = neighbour.ask("POST", "clusters", small_cluster(neighbour, "orphan", workers=0))
    until(
        lambda: [s.status for s in neighbour.admin.compute.servers(all_projects=True)],
        lambda seen: seen == ["ACTIVE"],
        within=60.0,
    )
    kill_everything(neighbour)
    neighbour.up()
    neighbour.finished(created, within=180.0)

    kill_everything(neighbour)
    assert leftovers.of_region(neighbour.name) != []
    neighbour.purge()
    assert leftovers.of_region(neighbour.name) == []
    assert {name: who.pid for name, who in region.processes().items()} == others
