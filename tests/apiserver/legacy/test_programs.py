"""The upstream programs, run as plans say: they know their flags, and etcd's members join."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.support.apiserver import programs
from tests.support.eventually import eventually
from tests.unit.legacy.builders import LEARNER, VOTER, cluster_facts, node_facts

from vks.legacy import pki
from vks.legacy.agent.node import Request, fetch
from vks.legacy.plan.build import build
from vks.legacy.plan.certificates import control_plane_certificates
from vks.legacy.plan.etcd import member_name, peer_url
from vks.legacy.plan.facts import KeyPair
from vks.legacy.plan.model import Plan
from vks.legacy.server.hub import CallFailed
from vks.legacy.server.legacynode import etcd
from vks.resources.legacynode import EtcdMember

COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "etcd",
)
#: Loopback has room for several hosts.
HOSTS = {"a": "127.0.0.2", "b": "127.0.0.3"}


def command(plan: Plan, service: str) -> list[str]:
    unit = next(s.unit for s in plan.services if s.name == f"legacy-{service}")
    text = unit.split("ExecStart=")[1].split("\nRestart=")[0].replace("\\\n", " ")
    return shlex.split(text)


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_flag_is_known(component: str) -> None:
    _, *flags = command(build(cluster_facts(), node_facts(etcd=VOTER)), component)
    done = subprocess.run(
        [str(programs() / component), *flags, "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1000:]


class Machine:
    """One etcd of a cluster, run by its plan below a directory instead of a root."""

    def __init__(self, root: Path, name: str, authority: KeyPair) -> None:
        self.root = root / name
        self.name = name
        self.address = HOSTS[name]
        wanted = control_plane_certificates(cluster_facts(), name, self.address)
        made = {key: pki.issue(authority, wanted[key]) for key in ("kube-etcd", "kube-etcd-client")}
        certificates = {**node_facts(etcd=VOTER).certificates, **made}
        self.facts = msgspec.structs.replace(
            node_facts(name), address=self.address, certificates=certificates
        )
        self.cluster = cluster_facts(authority=authority)

    def _below(self, text: str) -> str:
        for path in ("/etc/vks-legacy", "/var/lib/vks-legacy"):
            text = text.replace(path, f"{self.root}{path}")
        # Machines have a loopback each; here they share one.
        return text.replace(",https://127.0.0.1:2379", "")

    def install(self, plan: Plan) -> None:
        for file in plan.files:
            path = Path(self._below(file.path))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content)
        (self.root / "var/lib/vks-legacy/etcd").mkdir(parents=True, mode=0o700)

    @contextlib.asynccontextmanager
    async def running(self, member: EtcdMember) -> AsyncIterator[None]:
        plan = build(self.cluster, msgspec.structs.replace(self.facts, etcd=member))
        self.install(plan)
        _, *flags = (self._below(word) for word in command(plan, "etcd"))
        argv = ["setpriv", "--pdeathsig", "KILL", str(programs() / "etcd"), *flags]
        with (self.root / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(*argv, stdout=log, stderr=log)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):  # a removed member ends by itself
                process.kill()
            await process.wait()

    async def call(self, endpoint: str, method: str, path: str, body: str = "") -> str:
        """As a Session of the hub does it, without the way in between."""
        ssl = f"{self.root}/etc/vks-legacy/ssl"
        request = Request(
            method=method,
            host=self.address,
            port=2379,
            path=path,
            ca=f"{ssl}/kube-ca.pem",
            cert=f"{ssl}/kube-{endpoint}-client.pem",
            key=f"{ssl}/kube-{endpoint}-client-key.pem",
            body=body,
        )
        answer = await asyncio.to_thread(fetch, request)
        if answer.status != 200:
            raise CallFailed(answer.body, answer.status)
        return answer.body

    async def healthy(self) -> bool:
        try:
            return '"true"' in await self.call("etcd", "GET", "/health")
        except CallFailed:
            return False


async def test_a_member_joins_as_a_learner_votes_and_leaves(tmp_path: Path) -> None:
    authority = await asyncio.to_thread(pki.new_authority, "kube-ca")
    a, b = [await asyncio.to_thread(Machine, tmp_path, name, authority) for name in HOSTS]
    founder = EtcdMember(
        initial_cluster=f"{member_name('a')}={peer_url(a.address)}", state="new", voter=True
    )
    async with a.running(founder):
        await eventually(a.healthy)
        for _ in range(2):  # a repeated announcement is one member
            joined = await etcd.join(a, member_name(b.name), b.address)
        assert set(joined.split(",")) == {f"etcd-{m.name}={peer_url(m.address)}" for m in (a, b)}
        assert await etcd.promote(a, b.address) != "", "it has not even started"
        learner = msgspec.structs.replace(LEARNER, initial_cluster=joined)
        async with b.running(learner):

            async def votes() -> bool:
                return await etcd.promote(a, b.address) == ""

            await eventually(votes)
            await eventually(b.healthy)
            found = await etcd.members(a)
            assert {(m.name, m.learner) for m in found} == {("etcd-a", False), ("etcd-b", False)}

            async def left_it() -> bool:
                with contextlib.suppress(CallFailed):  # etcd refuses while a member is new
                    await etcd.leave(a, b.address)
                    return True
                return False

            await eventually(left_it)
            assert await left_it(), "leaving again is no failure"
            (left,) = await etcd.members(a)
            assert left.name == "etcd-a"
            assert await a.healthy()
