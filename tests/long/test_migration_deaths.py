"""A node dies in each phase of a migration on real servers, a control plane or a worker, while the
cluster is used: the phase comes to its end, with as many nodes as before."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.localregion import until
from tests.support.migration import PATIENCE, Story, legacy_cluster, unnoticed

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]

Record = Callable[[str, Any], None]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("deaths", tmp_path_factory.mktemp("migration")) as story:
        yield story


@contextmanager
def outlived(old: Story, phase: str, record: Record) -> Iterator[list[str]]:
    """The phase begins, loses the nodes that the block appends, and ends; nobody notices."""
    slots = old.slots("edge")
    lost: list[str] = []
    with old.used() as counts:
        if phase == "Finalized":
            old.vks("migration", "finalize", "old", "--yes", "--no-wait")
        else:
            old.start(phase)
        yield lost
        old.reached(phase)
        until(old.whole, bool, PATIENCE)
    assert lost
    assert not {*lost} & old.members().keys()
    record("lost", ", ".join(lost))
    unnoticed(counts, record)
    assert old.slots("edge").keys() == slots.keys()
    old.keeps()


def test_a_control_plane_dies_while_the_cluster_is_prepared(
    old: Story, record_property: Record
) -> None:
    old.plan()
    with outlived(old, "Prepared", record_property) as lost:
        old.doing("restarts its API server")
        lost.append(old.lose_a_control_plane())
    old.looks_like_kubeadms()


def test_a_worker_dies_while_the_cluster_is_taken_over(old: Story, record_property: Record) -> None:
    with outlived(old, "Adopted", record_property) as lost:
        lost.append(old.lose_a_worker())


def test_a_control_plane_dies_while_another_joins(old: Story, record_property: Record) -> None:
    """etcd takes no new member then, and Cluster API replaces none: the newcomer goes first."""
    known = old.machine_names()
    with outlived(old, "Converted", record_property) as lost:
        until(old.machine_names, lambda found: found - known, PATIENCE)
        lost.append(old.lose_a_control_plane())


def test_a_worker_dies_while_nothing_is_left_of_the_past(
    old: Story, record_property: Record
) -> None:
    with outlived(old, "Finalized", record_property) as lost:
        lost.append(old.lose_a_worker())
