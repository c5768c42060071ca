"""A cluster that has been converted as a whole is taken back, on real servers, while it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.migration import (
    CLUSTER_API,
    CONTROLLERS,
    LEGACY_NODES,
    Story,
    legacy_cluster,
    unnoticed,
)

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("way-back", tmp_path_factory.mktemp("migration")) as story:
        yield story


def test_a_converted_cluster_is_built_anew_as_a_whole(old: Story, record_property: Any) -> None:
    """Nobody of the legacy provisioner's is left that others could join."""
    old.plan()
    old.start("Converted")
    old.reached("Converted")
    assert old.management(LEGACY_NODES) == []
    old.save_kubeconfig()  # that of before names a control plane that is gone
    converted, slots, objects = old.servers(), old.slots("edge"), old.untouched()

    with old.used() as counts, old.killing(*CONTROLLERS, every=15.0):
        old.go_back()
        old.reached("RolledBack")

    unnoticed(counts, record_property)
    after = old.servers()
    assert len(after) == len(converted)
    assert not {*after.values()} & {*converted.values()}
    assert old.running_servers() == len(after), "every server that is gone is gone"
    assert old.etcd_members() == {f"etcd-{name}" for name in old.planes()}
    assert old.management(*CLUSTER_API) == []
    assert {node["metadata"]["name"] for node in old.objects("nodes")} == after.keys()
    assert old.slots("edge").keys() == slots.keys()
    assert old.untouched() == objects
    old.keeps()
    old.plan()
