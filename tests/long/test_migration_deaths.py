"""A control plane dies in each phase of a migration on real servers, while the cluster is used: the
phase comes to its end, with as many nodes as before, and nobody notices."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.localregion import until
from tests.support.migration import PATIENCE, Story, legacy_cluster, outlived

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]

Record = Callable[[str, Any], None]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("deaths", tmp_path_factory.mktemp("migration")) as story:
        yield story


def test_a_control_plane_dies_while_another_is_prepared(
    old: Story, record_property: Record
) -> None:
    old.plan()
    with outlived(old, "Prepared", old.lose_a_control_plane, record_property):
        old.doing("restarts its API server")
    old.looks_like_kubeadms()


def test_a_control_plane_dies_while_the_cluster_is_adopted(
    old: Story, record_property: Record
) -> None:
    with outlived(old, "Adopted", old.lose_a_control_plane, record_property):
        until(old.machine_names, bool, PATIENCE)


def test_a_control_plane_dies_while_another_joins(old: Story, record_property: Record) -> None:
    """etcd takes no new member then, and Cluster API replaces none: the newcomer goes first."""
    known = old.machine_names()
    with outlived(old, "Converted", old.lose_a_control_plane, record_property):
        until(old.machine_names, lambda found: found - known, PATIENCE)


def test_a_control_plane_dies_while_nothing_is_left_of_the_past(
    old: Story, record_property: Record
) -> None:
    with outlived(old, "Finalized", old.lose_a_control_plane, record_property):
        pass
