"""A local region of the tests' own, driven as people do it: `vks`, `kubectl`, the REST API."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import openstack
from keystoneauth1 import exceptions as ksa
from openstack.connection import Connection
from tests.support.clouds import Json, Service, ok

from vks.local.assets.ensure import ensure_assets
from vks.local.instance import Instance
from vks.local.platform.layout import Layout
from vks.local.platform.processes import SupervisorState
from vks.local.platform.procfs import Handle, Identity, identity
from vks.local.platform.region import read_state
from vks.local.progress import terminal_progress

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
VKS = Path(sys.executable).with_name("vks")
PROJECT = "test"
NAMESPACE = "p-test"

#: Seconds within which a region has mended what a test broke on purpose.
PATIENCE = 60.0


def region_name(purpose: str) -> str:
    """One per checkout: others' tests do not meet it, and the next run finds what a killed one
    left."""
    return f"{purpose}-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]}"


def until(observe: Callable[[], T], done: Callable[[T], object], within: float) -> T:
    """Looks until it is done; the last observation is in the failure's message."""
    deadline = time.monotonic() + within
    while not done(seen := observe()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {seen}"
        time.sleep(0.3)
    return seen


class LocalRegion:
    """One region, by name. Creating the object starts nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.instance = Instance.named(name)
        self.layout = Layout(self.instance)
        self.zones = [f"{name}-{number}" for number in (1, 2, 3)]

    def vks(self, *arguments: str, timeout: float = 600.0) -> str:
        """What the command prints. Its failure is the test's."""
        done = subprocess.run(
            [str(VKS), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "VKS_LOCAL_REGION": self.name},
        )
        assert done.returncode == 0, f"vks {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def read(self, *arguments: str) -> Any:
        return json.loads(self.vks(*arguments, "-o", "json"))

    def up(self, *options: str) -> None:
        self.vks("up", "--name", self.name, *options)

    def purge(self) -> None:
        self.vks("down", "--name", self.name, "--purge")

    @cached_property
    def programs(self) -> Path:
        """Where kubectl and clusterctl are."""
        return ensure_assets(self.instance.cache, terminal_progress()).bin

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        """On the management cluster."""
        return kubectl(self.programs, self.layout.management_kubeconfig, *arguments, check=check)

    def objects(self, kind: str, cluster: str = "") -> list[Json]:
        """Custom resources of the project, those of a cluster if one is named."""
        selector = [f"--selector=cluster.x-k8s.io/cluster-name={cluster}"] if cluster else []
        found = self.kubectl("get", kind, f"--namespace={NAMESPACE}", "--output=json", *selector)
        items: list[Json] = json.loads(found)["items"]
        return items

    # --- its programs

    def state(self) -> SupervisorState:
        state = read_state(self.instance)
        assert state is not None, f"nobody supervises region {self.name}"
        return state

    def processes(self) -> dict[str, Identity]:
        """Every program that runs, its supervisor included."""
        state = self.state()
        found = {p.name: Identity(p.pid, p.start_time) for p in state.processes if p.pid}
        supervisor = identity(state.pid)
        return found | ({"supervisor": supervisor} if supervisor else {})

    def kill(self, who: Identity) -> bool:
        """SIGKILL; False when it had ended before."""
        handle = Handle.open(who)
        if handle is None:
            return False
        handle.send(signal.SIGKILL)
        handle.close()
        return True

    # --- its cloud and its service

    def connection(self, cloud: str) -> Connection:
        """openstacksdk with an entry of the region's clouds.yaml: `demo` or `admin`."""
        config = openstack.config.OpenStackConfig(config_files=[str(self.layout.clouds_yaml)])
        return Connection(config=config.get_one(cloud))

    @cached_property
    def admin(self) -> Connection:
        return self.connection("admin")

    @cached_property
    def rest(self) -> Service:
        """VKS for a member of the project `test`, at /v1."""
        return Service(self.connection("demo").session, "kubernetes")

    def ask(self, method: str, path: str, body: Any = None) -> str:
        """A change of something below the project, asked for until it is accepted and each time
        with the same idempotency key; the operation's id."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}

        def send() -> Json:
            answer = self.rest.call(method, f"/projects/{PROJECT}/{path}", body, headers=headers)
            return _accepted(answer, 202)

        return str(insist(send)["id"])

    def look(self, path: str) -> Json:
        """What the service answers there, asked until it does."""
        return insist(lambda: _accepted(self.rest.get(path), 200))

    def operation(self, operation_id: str) -> Json:
        return self.look(f"/projects/{PROJECT}/operations/{operation_id}")

    def finished(self, operation_id: str, within: float) -> Json:
        """The operation at its end. A failure is the test's."""
        ended = until(
            lambda: self.operation(operation_id),
            lambda seen: seen["phase"] in ("Succeeded", "Failed"),
            within,
        )
        assert ended["phase"] == "Succeeded", ended
        return ended

    def fault(self, **rule: Any) -> None:
        """Makes the cloud misbehave (see `vks.local.cloud.faults.api`)."""
        ok(self._operator.post("/faults", {"fault": rule}), 201)

    def no_faults(self) -> None:
        ok(self._operator.delete("/faults"), 204)

    @cached_property
    def _operator(self) -> Service:
        token = json.loads(self.layout.passwords.read_text())["operator_token"]
        base = f"http://127.0.0.1:{self.instance.ports()['cloud']}/admin"
        return Service(self.admin.session, "compute", {"X-Operator-Token": token}, base)


class _NotNowError(Exception):
    """An answer after which asking again may help."""


def _accepted(answer: Any, status: int) -> Json:
    if answer.status_code in (429, 500, 502, 503, 504):
        raise _NotNowError(f"{answer.status_code}: {answer.text[:300]}")
    return ok(answer, status)


def insist(call: Callable[[], T], within: float = PATIENCE) -> T:
    """Calls again while the other side is down or overloaded, for that many seconds."""
    deadline = time.monotonic() + within
    while True:
        try:
            return call()
        except (ksa.ClientException, _NotNowError) as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within:g} s") from error
            time.sleep(0.5)


def kubectl(programs: Path, kubeconfig: Path, *arguments: str, check: bool = True) -> str:
    """What kubectl prints; with `check`, its failure is the test's."""
    done = subprocess.run(
        [str(programs / "kubectl"), f"--kubeconfig={kubeconfig}", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if check:
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout
