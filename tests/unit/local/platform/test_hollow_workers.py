"""Where the kubelets of hollow workers run, and which regions can have any."""

from __future__ import annotations

from pathlib import Path

import pytest

from vks.local.instance import Instance
from vks.local.platform import region, services
from vks.local.platform.layout import Layout, ServerKind
from vks.local.progress import SilentProgress


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("osaka", tmp_path / "home", tmp_path / "cache")


def test_they_reach_api_servers_as_real_nodes_do_within_the_fabric(instance: Instance) -> None:
    layout = Layout(instance, hollow_workers=True)
    process = services.hollow(layout, Path("vks-hollow"), 0.5, {})
    assert "--workers" in process.argv
    assert process.netns == str(instance.fabric_netns_path)


def test_where_all_servers_are_hollow_there_is_nothing_to_join(instance: Instance) -> None:
    process = services.hollow(Layout(instance, "hollow"), Path("vks-hollow"), 0.5, {})
    assert "--workers" not in process.argv
    assert process.netns == ""


@pytest.mark.parametrize("servers", ["hollow", "records"])
def test_a_region_without_real_servers_is_refused_them(
    instance: Instance, servers: ServerKind
) -> None:
    with pytest.raises(region.RegionError, match="regions of real servers"):
        region.up(instance, SilentProgress(), servers, hollow_workers=True)
    assert not (instance.home / "plan.json").exists()
