"""What a region's first project may have."""

from __future__ import annotations

import pytest

from vks.local.platform.credentials import most_servers


@pytest.mark.parametrize(("kib", "servers"), [(25_165_824, 48), (8_388_608, 16), (1_048_576, 8)])
def test_servers_are_bounded_by_the_machines_memory(kib: int, servers: int) -> None:
    assert most_servers(f"MemTotal:       {kib} kB\nMemFree:  1 kB\n") == servers
