"""The newcomer's path on real servers, in an instance of its own, from up to purge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAME = "e2e-first"
VKS = Path(sys.executable).with_name("vks")

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


def vks(*arguments: str, timeout: float = 600.0) -> str:
    done = subprocess.run(
        [str(VKS), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "VKS_LOCAL_REGION": NAME},
    )
    assert done.returncode == 0, f"vks {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def region() -> Iterator[dict[str, Any]]:
    vks("down", "--name", NAME, "--purge")  # what a killed run left
    vks("up", "--name", NAME)
    yield json.loads(vks("status", "--name", NAME, "-o", "json"))
    vks("down", "--name", NAME, "--purge")
    assert not Path("/run/netns", f"vks-{NAME}").exists()
    assert not list(Path("/run/netns").glob(f"vks-{NAME}.*"))


def _namespaces() -> list[Path]:
    return list(Path("/run/netns").glob(f"vks-{NAME}.*"))


def test_a_cluster_over_three_zones_scales_and_leaves_nothing(region: dict[str, Any]) -> None:
    assert region["phase"] == "Ready"
    assert vks("demo", "--name", NAME).count(" Ready ") == 6

    nodes = json.loads(vks("pool", "nodes", "demo", "-o", "json"))["items"]
    zones = [f"{NAME}-{number}" for number in (1, 2, 3)]
    for role in ("control-plane", "worker"):
        assert sorted(n["zone"] for n in nodes if n["role"] == role) == zones
    for node in nodes:
        assert node["providerId"] == f"verda:///{NAME}/{node['zone']}/{node['serverId']}"

    assert vks("demo", "--name", NAME, timeout=30).count(" Ready ") == 6  # again: nothing to do

    vks("pool", "scale", "demo", "default", "--count", "4")
    assert len(_namespaces()) == 7
    vks("pool", "scale", "demo", "default", "--count", "2")
    assert len(_namespaces()) == 5

    vks("cluster", "delete", "demo", "--yes")
    assert json.loads(vks("cluster", "list", "-o", "json"))["items"] == []
    assert _namespaces() == []
