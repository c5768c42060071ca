"""Websockets that are lost, and who notices: conditions, metrics, and the way back."""

from __future__ import annotations

import pytest
from tests.apiserver.legacy.machines import Host, agent
from tests.apiserver.legacy.region import Legacy
from tests.apiserver.provider.region import eventually

from vks.kube.objects import Key, find_condition
from vks.legacy.agent.session import Settings
from vks.resources.legacynode import LegacyNode

pytestmark = pytest.mark.timeout(120)


async def reason_of(legacy: Legacy, node: str, type_: str) -> str:
    found = await legacy.client.get(LegacyNode, node, legacy.namespace)
    condition = find_condition(found.status.conditions, type_)
    return condition.reason if condition is not None else ""


async def test_a_lost_agent_is_missed_and_nothing_is_replaced(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, default=1)
        await legacy.settled(2)
        (worker,) = await legacy.nodes("worker")
        await legacy.datacenter.cut(worker.metadata.name)

        async def missed() -> bool:
            name = worker.metadata.name
            return await reason_of(legacy, name, "Ready") == "AgentDisconnected"

        await eventually(missed)

        async def said() -> bool:
            return await legacy.condition("Ready") == ("False", "AgentsDisconnected")

        await eventually(said)
    assert len(await legacy.nodes()) == 2
    assert (await legacy.region.census())["servers"] == 2


async def test_a_restarted_server_finds_a_cluster_without_owner_and_heals_it(
    legacy: Legacy,
) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, default=1)
        await legacy.settled(2)
        plans = {name: len(host.plans) for name, host in legacy.world.hosts.items()}
    for node in plans:
        await legacy.datacenter.cut(node)
    async with legacy.server():

        async def ownerless() -> bool:
            return await legacy.condition("Ready") == ("False", "ClusterOwnerDisappeared")

        await eventually(ownerless)
        for node in plans:
            legacy.datacenter.mend(node)
        await legacy.settled(2)
    assert {name: len(host.plans) for name, host in legacy.world.hosts.items()} == plans


async def test_metrics_count_the_agents_of_a_cluster(legacy: Legacy) -> None:
    async with legacy.server() as hub:
        await legacy.apply(replicas=1, default=1)
        await legacy.settled(2)
        registry = hub.registry
        labels = {"namespace": legacy.namespace, "cluster": "old"}
        assert registry.get_sample_value("vks_legacy_agents_connected", labels) == 2
        assert registry.get_sample_value("vks_legacy_cluster_owner_disappeared", labels) == 0


async def test_a_wrong_token_is_refused(legacy: Legacy) -> None:
    async with legacy.server() as hub:
        await legacy.apply(replicas=1)
        await legacy.settled(1)
        (plane,) = await legacy.nodes()
        key = Key(legacy.namespace, plane.metadata.name)
        known = hub.session(key)
        url = f"{legacy.options.address.url}/v1/agents/{legacy.namespace}/{plane.metadata.name}"
        wrong = Settings(url=url, token="guess", ca=legacy.options.address.ca)
        async with agent(wrong, Host("intruder", legacy.world)):

            async def refused() -> bool:
                labels = {"end": "refused"}
                name = "vks_legacy_agent_connections_total"
                return bool(hub.registry.get_sample_value(name, labels))

            await eventually(refused)
        assert hub.session(key) is known
    assert legacy.world.hosts["intruder"].plans == []


async def test_a_service_that_fails_shows_on_the_node(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1, default=1)
        await legacy.settled(2)
        (worker,) = await legacy.nodes("worker")
        host = legacy.world.hosts[worker.metadata.name]
        host.broken.add("legacy-kubelet")

        async def shown() -> bool:
            name = worker.metadata.name
            return await reason_of(legacy, name, "Ready") == "ServicesUnhealthy"

        await eventually(shown)
        host.broken.clear()
        await legacy.settled(2)


async def test_a_plan_that_cannot_be_applied_says_why(legacy: Legacy) -> None:
    async with legacy.server():
        await legacy.apply(replicas=1)
        await legacy.settled(1)
        (plane,) = await legacy.nodes()
        host = legacy.world.hosts[plane.metadata.name]
        host.failure = "no space left on device"
        await legacy.apply(replicas=3)

        async def shown() -> bool:
            name = plane.metadata.name
            found = await legacy.client.get(LegacyNode, name, legacy.namespace)
            condition = find_condition(found.status.conditions, "PlanApplied")
            return condition is not None and "no space left" in condition.message

        await eventually(shown)
        host.failure = ""
        await legacy.settled(3)
