"""The whole product without root: a region of hollow servers, for a user who owns nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.local.assets import ensure_assets, ensure_hollow
from vks.local.instance import Instance
from vks.local.progress import SilentProgress

NAME = "e2e-hollow"
ROOT = Path(__file__).parents[2]
RUN = "from vks.cli.main import main; main()"
#: Root becomes somebody without a name, a home or a privilege.
NOBODY = 61234
CLUSTER = "demo"

pytestmark = pytest.mark.timeout(900)


class Newcomer:
    """A user, and the `vks` command in their hands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cache = Instance.named(NAME).cache  # programs that somebody has built
        self.uid = NOBODY if os.geteuid() == 0 else os.geteuid()
        self.become: list[str] = []
        if os.geteuid() == 0:
            ids = (f"--reuid={self.uid}", f"--regid={self.uid}")
            # Capabilities are gone from the first program on, so that is not the one to be tried.
            self.become = ["setpriv", *ids, "--clear-groups", "/usr/bin/env"]
        self.python = self._environment()

    def _environment(self) -> Path:
        """A Python environment of the user's own with this checkout in it: the tests' may lie
        where only root gets."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        show = "import sys; print('%d.%d' % sys.version_info[:2])"
        for base in (str(Path(sys.executable).resolve()), "/usr/bin/python3"):
            asked = subprocess.run([*self.become, base, "-c", show], capture_output=True, text=True)
            if asked.stdout.strip() == version:
                break
        else:
            raise AssertionError(f"no Python {version} that everybody may run")
        target = self.home / "venv"
        make = [*self.become, base, "-m", "venv", "--without-pip", str(target)]
        subprocess.run(make, check=True, cwd=self.home)
        paths = target / "lib" / f"python{version}" / "site-packages" / "checkout.pth"
        paths.write_text(f"{ROOT / 'src'}\n{sysconfig.get_path('purelib')}\n")
        return target / "bin" / "python"

    def vks(self, *arguments: str, timeout: float = 400.0) -> str:
        done = subprocess.run(
            [*self.become, str(self.python), "-c", RUN, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "VKS_CACHE": str(self.cache),
                "VKS_LOCAL_REGION": NAME,
            },
        )
        assert done.returncode == 0, f"vks {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def show(self, *arguments: str) -> Any:
        return json.loads(self.vks(*arguments, "-o", "json"))

    def nodes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.show("pool", "nodes", CLUSTER)["items"]
        return found

    def processes(self) -> dict[str, int]:
        """The region's programs by name."""
        described = self.show("status", "--name", NAME)
        return {one["name"]: one["pid"] for one in described["processes"] if one["pid"]}

    def wait_for_another(self, program: str, pid: int) -> None:
        """Until the supervisor has a successor of `pid` ready."""
        deadline = time.monotonic() + 60.0
        while True:
            described = self.show("status", "--name", NAME)
            (found,) = (one for one in described["processes"] if one["name"] == program)
            if found["phase"] == "Ready" and found["pid"] != pid:
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.1)


@pytest.fixture(scope="module")
def newcomer() -> Iterator[Newcomer]:
    cache = Instance.named(NAME).cache
    ensure_assets(cache, SilentProgress())
    ensure_hollow(cache, SilentProgress())
    home = Path(tempfile.mkdtemp(prefix="vks-newcomer-"))
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    user = Newcomer(home)
    try:
        user.vks("up", "--name", NAME, "--servers", "hollow", "--start-delay", "0.2")
        yield user
        user.vks("down", "--name", NAME, "--purge")
        assert not (home / ".local/state/vks" / NAME).exists()
        assert _processes_of(home, within=5.0) == []
    finally:
        for pid in _processes_of(home):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(home)


def test_it_is_all_there_and_all_the_users_own(newcomer: Newcomer) -> None:
    described = newcomer.show("status", "--name", NAME)
    assert (described["phase"], described["servers"]) == ("Ready", "hollow")
    assert described["home"].startswith(str(newcomer.home))
    for pid in newcomer.processes().values():
        assert Path("/proc", str(pid)).stat().st_uid == newcomer.uid
    assert not Path("/run/netns", f"vks-{NAME}").exists()
    assert "not needed" in newcomer.vks("doctor", "--servers", "hollow")


def test_a_cluster_over_three_zones(newcomer: Newcomer) -> None:
    assert newcomer.vks("demo", "--name", NAME).count(" Ready ") == 6
    nodes = newcomer.nodes()
    zones = [f"{NAME}-{number}" for number in (1, 2, 3)]
    for role in ("control-plane", "worker"):
        assert sorted(node["zone"] for node in nodes if node["role"] == role) == zones
    for node in nodes:
        assert node["providerId"] == f"verda:///{NAME}/{node['zone']}/{node['serverId']}"


async def test_our_requests_do_not_wait_behind_those_of_the_managers(newcomer: Newcomer) -> None:
    kubeconfig = newcomer.home / ".local/state/vks" / NAME / "management.kubeconfig"
    async with Client(ClientConfig.from_kubeconfig(kubeconfig)) as client:
        metrics = (await client.raw("GET", "/metrics", accept="text/plain")).decode()
    counted = r'dispatched_requests_total{flow_schema="([^"]+)",priority_level="([^"]+)"} (\d+)'
    dispatched = {
        (schema, level): int(count) for schema, level, count in re.findall(counted, metrics)
    }
    assert dispatched["vks", "vks"] > 100
    assert dispatched["global-default", "global-default"] > 0  # theirs


@pytest.mark.parametrize("killed", ["hollow", "cloud", "provider"])
def test_a_killed_program_comes_back_and_nothing_is_lost(newcomer: Newcomer, killed: str) -> None:
    before = {node["name"]: node["serverId"] for node in newcomer.nodes()}
    pid = newcomer.processes()[killed]
    os.kill(pid, signal.SIGKILL)
    if killed == "cloud":  # it signs the user in as well
        newcomer.wait_for_another(killed, pid)
    count = {"hollow": "4", "cloud": "2", "provider": "3"}[killed]
    newcomer.vks("pool", "scale", CLUSTER, "default", "--count", count)
    assert newcomer.processes()[killed] != pid
    after = {node["name"]: node["serverId"] for node in newcomer.nodes()}
    assert len(after) == 3 + int(count)
    assert all(after[name] == before[name] for name in after.keys() & before.keys())


def test_a_deleted_cluster_leaves_no_listener_and_no_server(newcomer: Newcomer) -> None:
    assert [c["name"] for c in newcomer.show("cluster", "list")["items"]] == [CLUSTER]
    newcomer.vks("cluster", "delete", CLUSTER, "--yes")
    assert newcomer.show("cluster", "list")["items"] == []
    run = newcomer.home / ".local/state/vks" / NAME / "run"
    for what in ("servers", "loadbalancers"):
        asked = ["curl", "-s", "--unix-socket", "hollow.sock", f"http://hollow/{what}"]
        done = subprocess.run(asked, cwd=run, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) in ({}, [])


def _processes_of(home: Path, within: float = 0.0) -> list[int]:
    """Those that were started for this home, whoever supervises them; ending takes a moment."""
    deadline = time.monotonic() + within
    while (found := _running_for(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _running_for(home: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except (OSError, ProcessLookupError):
            continue
        if f"HOME={home}".encode() in environment.split(b"\0"):
            found.append(int(entry.name))
    return found
