"""What a region's first project may have, and what its cloud offers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vks.local.cloud.seed import Seed, load_seed
from vks.local.instance import Instance
from vks.local.platform.credentials import has_hollow_workers, most_servers, write_all
from vks.local.platform.layout import Layout, ServerKind

PORTS = {"cloud": 7500, "api": 7080, "management": 7443, "proxy": 7081}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(Instance("osaka", tmp_path / "home", tmp_path / "cache"))


def seed_of(layout: Layout) -> Seed:
    write_all(layout, PORTS, {"v1.36.3": None})
    return load_seed(layout.seed)


@pytest.mark.parametrize(("kib", "servers"), [(25_165_824, 48), (8_388_608, 16), (1_048_576, 8)])
def test_servers_are_bounded_by_the_machines_memory(kib: int, servers: int) -> None:
    assert most_servers(f"MemTotal:       {kib} kB\nMemFree:  1 kB\n") == servers


def test_hollow_workers_come_with_flavors_of_their_own_and_room_for_a_thousand(
    layout: Layout,
) -> None:
    seed = seed_of(replace(layout, hollow_workers=True))
    asking = {f.name: f.extra_specs for f in seed.flavors if f.extra_specs}
    assert asking == {
        f"hollow-{size}": {"trait:CUSTOM_HOLLOW": "required"}
        for size in ("small", "medium", "large")
    }
    assert seed.hollow_workers is not None
    quotas = next(project for project in seed.projects if project.name == "test").quotas
    assert quotas.compute["instances"] == quotas.network["router_route"] == -1
    assert 2 ** (32 - seed.subnet_pool.default_prefixlen) > 1000


@pytest.mark.parametrize("servers", ["lxc", "hollow"])
def test_nobody_else_is_offered_hollow_workers(layout: Layout, servers: ServerKind) -> None:
    seed = seed_of(replace(layout, servers=servers))
    assert seed.hollow_workers is None
    assert not [flavor for flavor in seed.flavors if flavor.extra_specs]


def test_a_region_that_offered_hollow_workers_goes_on_with_it(layout: Layout) -> None:
    assert not has_hollow_workers(layout)
    seed_of(layout)
    assert not has_hollow_workers(layout)
    seed_of(replace(layout, hollow_workers=True))
    assert has_hollow_workers(layout)
