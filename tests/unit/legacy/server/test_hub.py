"""Hub and agent over a real websocket with TLS: what is said arrives, and what breaks heals."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.apiserver.legacy.machines import Host, World, agent
from tests.support.apiserver import free_port
from tests.support.eventually import eventually
from tests.support.pki import Pki

from vks.kube.errors import NotFound
from vks.kube.objects import Key, ObjectMeta
from vks.legacy.agent.session import Settings
from vks.legacy.plan.model import Endpoint, Plan, Probe
from vks.legacy.server.hub import CallFailed, Hub, Listener
from vks.resources.core import Secret

NODE = Key("p-test", "node-1")
PLAN = Plan(
    probes=(Probe(name="kubelet", url="http://127.0.0.1:10248/healthz"),),
    endpoints={"api": Endpoint(url="https://127.0.0.1:6443")},
)


class Management:
    """An API server that holds one node's token."""

    async def get(self, model: object, name: str, namespace: str) -> Secret:
        if (namespace, name) != (NODE.namespace, f"{NODE.name}-agent"):
            raise NotFound("no such Secret", status=404)
        token = base64.b64encode(b"right").decode()
        return Secret(metadata=ObjectMeta(name=name), data={"token": token})


class Setup:
    def __init__(self, pki: Pki) -> None:
        self.port = free_port()
        self.pki = pki
        self.told: list[Key] = []
        self.host = Host(NODE.name, World())
        self.hub = self.new_hub()

    def new_hub(self) -> Hub:
        listener = Listener(
            "127.0.0.1", self.port, str(self.pki.server_cert), str(self.pki.server_key)
        )
        client: Any = Management()
        return Hub(client, listener, self.told.append, CollectorRegistry())

    def settings(self, token: str = "right", node: str = NODE.name) -> Settings:
        url = f"wss://127.0.0.1:{self.port}/v1/agents/{NODE.namespace}/{node}"
        return Settings(url=url, token=token, ca=self.pki.ca.read_text())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Hub]:
        task = asyncio.create_task(self.hub.run())
        try:
            yield self.hub
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(Pki.create(tmp_path))


def ends(hub: Hub, how: str) -> float:
    name = "vks_legacy_agent_connections_total"
    return hub.registry.get_sample_value(name, {"end": how}) or 0.0


async def test_a_plan_is_applied_and_reported(setup: Setup) -> None:
    async with setup.running() as hub, agent(setup.settings(), setup.host):
        await eventually(lambda: hub.session(NODE) is not None)
        session = hub.session(NODE)
        assert session is not None
        assert "registry.k8s.io/kube-proxy:v1.36.3" in session.images
        await session.send_plan(PLAN)
        await eventually(lambda: session.report.plan == PLAN.digest)
        await eventually(lambda: session.report.probes == {"kubelet": ""})
        assert NODE in setup.told
        setup.host.broken.add("kubelet")
        await eventually(lambda: "refused" in session.report.probes["kubelet"])


async def test_calls_go_to_what_the_plan_names_and_nowhere_else(setup: Setup) -> None:
    async with setup.running() as hub, agent(setup.settings(), setup.host):
        await eventually(lambda: hub.session(NODE) is not None)
        session = hub.session(NODE)
        assert session is not None
        with pytest.raises(CallFailed, match="no endpoint 'api'"):
            await session.call("api", "GET", "/api/v1/pods")
        await session.send_plan(PLAN)
        await eventually(lambda: session.report.plan == PLAN.digest)
        setup.host.world.pods["web"] = NODE.name
        path = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NODE.name}"
        answers = await asyncio.gather(*(session.call("api", "GET", path) for _ in range(20)))
        assert {json.loads(a)["items"][0]["metadata"]["name"] for a in answers} == {"web"}
        with pytest.raises(CallFailed) as refused:
            await session.call("api", "GET", "/api/v1/nodes/absent")
        assert refused.value.status == 404


async def test_large_answers_arrive_whole(setup: Setup) -> None:
    async with setup.running() as hub, agent(setup.settings(), setup.host):
        await eventually(lambda: hub.session(NODE) is not None)
        session = hub.session(NODE)
        assert session is not None
        await session.send_plan(PLAN)
        await eventually(lambda: session.report.plan == PLAN.digest)
        for size in (100, 2_000):  # frames of 16-bit and of 64-bit length
            setup.host.world.pods = {f"pod-{n:05}": NODE.name for n in range(size)}
            path = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NODE.name}"
            answer = json.loads(await session.call("api", "GET", path))
            assert len(answer["items"]) == size


@pytest.mark.parametrize(("token", "node"), [("wrong", NODE.name), ("right", "other"), ("", "x")])
async def test_strangers_are_refused(setup: Setup, token: str, node: str) -> None:
    async with setup.running() as hub, agent(setup.settings(token, node), setup.host):
        await eventually(lambda: ends(hub, "refused") >= 1)
        assert hub.session(Key(NODE.namespace, node)) is None
        assert setup.host.plans == []


async def test_the_agent_outlives_the_hub(setup: Setup) -> None:
    """The plan goes on while nobody is there; the new hub learns what the node is like."""
    async with agent(setup.settings(), setup.host):
        async with setup.running() as hub:
            await eventually(lambda: hub.session(NODE) is not None)
            session = hub.session(NODE)
            assert session is not None
            await session.send_plan(PLAN)
            await eventually(lambda: session.report.plan == PLAN.digest)
        with pytest.raises(CallFailed):
            await session.call("api", "GET", "/")
        setup.hub = setup.new_hub()
        async with setup.running() as hub:
            await eventually(lambda: hub.session(NODE) is not None)
            again = hub.session(NODE)
            assert again is not None
            await eventually(lambda: again.report.plan == PLAN.digest)
    assert len(setup.host.plans) == 1


async def test_the_newest_connection_of_a_node_counts(setup: Setup) -> None:
    async with setup.running() as hub, agent(setup.settings(), setup.host):
        await eventually(lambda: hub.session(NODE) is not None)
        first = hub.session(NODE)
        twin = Host("twin", setup.host.world)
        async with agent(setup.settings(), twin):
            await eventually(lambda: hub.session(NODE) not in (None, first))
            await eventually(lambda: ends(hub, "replaced") >= 1)


async def test_a_lost_agent_is_forgotten_and_told(setup: Setup) -> None:
    async with setup.running() as hub:
        async with agent(setup.settings(), setup.host):
            await eventually(lambda: hub.session(NODE) is not None)
            setup.told.clear()
        await eventually(lambda: hub.session(NODE) is None)
        assert setup.told == [NODE]
        assert ends(hub, "lost") == 1
