"""A legacy cluster on its way to Cluster API is taken back, on real servers, while it is used."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.clouds import Json
from tests.support.localregion import until
from tests.support.migration import CLUSTER_API, Story, legacy_cluster, unnoticed

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with legacy_cluster("way-back", tmp_path_factory.mktemp("migration")) as story:
        yield story


def test_what_was_prepared_is_taken_back_unnoticed(old: Story, record_property: Any) -> None:
    old.vks("migration", "plan", "old")
    old.vks("migration", "start", "old", "--until", "Prepared", "--no-wait")
    old.reached("Prepared")
    old.go_back_unnoticed(record_property)


def test_giving_an_adopted_cluster_back_deletes_no_server(old: Story, record_property: Any) -> None:
    servers = old.servers()
    old.vks("migration", "start", "old", "--until", "Adopted", "--no-wait")
    old.reached("Adopted")
    assert old.machine_names() == servers.keys()
    with old.used() as counts:
        old.vks("migration", "rollback", "old", "--yes", "--no-wait")
        old.reached("RolledBack")
    unnoticed(counts, record_property)
    assert old.servers() == servers
    assert old.management(*CLUSTER_API) == []


def test_what_convert_has_replaced_is_built_anew(old: Story, record_property: Any) -> None:
    """Two control planes of three are Cluster API's, and the third is about to be."""
    uid = old.kubectl("get", "namespace", "default", "-o=jsonpath={.metadata.uid}")
    old.vks("migration", "plan", "old")
    old.vks("migration", "start", "old", "--until", "Adopted", "--no-wait")
    old.reached("Adopted")
    before = old.servers()
    old.vks("migration", "start", "old", "--until", "Converted", "--no-wait")
    until(old.migration, lambda found: gone(found, before) >= 2, 900.0)
    began = time.monotonic()
    old.save_kubeconfig()  # the one of before names a control plane that is gone
    with old.used() as counts:
        old.vks("migration", "rollback", "old", "--yes", "--no-wait")
        until(old.migration, lambda found: found["phase"] == "RolledBack", 1500.0)
    record_property("seconds", round(time.monotonic() - began))

    unnoticed(counts, record_property)
    after = old.servers()
    assert len(after) == len(before)
    rebuilt = {*after.values()} - {*before.values()}
    assert len(rebuilt) == gone(old.migration(), before), "and no other was touched"
    namespaces = list(Path("/run/netns").glob(f"vks-{old.region.name}.*"))
    assert len(namespaces) == len(after), "every server that is gone is gone"
    assert old.etcd_members() == {f"etcd-{name}" for name in old.planes()}
    assert old.management(*CLUSTER_API) == []
    nodes = {node["metadata"]["name"] for node in old.objects("nodes")}
    assert nodes == after.keys()
    old.keeps()
    assert old.kubectl("get", "namespace", "default", "-o=jsonpath={.metadata.uid}") == uid
    assert old.region.read("migration", "plan", "old")["plan"]["refusals"] == []


def gone(found: Json, before: dict[str, str]) -> int:
    """How many of those nodes have been replaced."""
    return sum(n["name"] in before and n["step"] == "Replaced" for n in found["nodes"])
