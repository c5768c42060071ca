"""Control planes are prepared through their true agents, and taken back, whatever is killed."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.apiserver.legacy.region import Legacy
from tests.apiserver.migration.migrating import ask, found, phase, planned, running
from tests.apiserver.provider.region import eventually

from vks.migration.prepare.controlplanes import ControlPlanes
from vks.migration.prepare.loadbalancing import LoadBalancing
from vks.migration.run.phase import Phase
from vks.resources.core import Secret

pytestmark = pytest.mark.timeout(300)

PHASES = (Phase("Prepare", "Preparing", "Prepared", (LoadBalancing(), ControlPlanes()), kept=True),)


async def standing(legacy: Legacy) -> None:
    await legacy.apply(replicas=3, default=1)
    await legacy.settled(4)

    async def reported() -> bool:
        planes = await legacy.nodes("control-plane")
        return all("kube-scheduler" in node.status.running for node in planes)

    await eventually(reported, 60.0)


async def balanced(legacy: Legacy) -> dict[str, str]:
    """Members' states by name, of all load balancers that there are."""
    client = legacy.region.verda.loadbalancer
    found_ = await client.load_balancers()
    members = [m for lb in found_ for pool in lb.pools for m in await client.members(pool.id)]
    assert len({member.name for member in members}) == len(members)
    return {member.name: member.admin_state for member in members}


async def names(legacy: Legacy, prefix: str = "") -> list[str]:
    return sorted(f"{prefix}{n.metadata.name}" for n in await legacy.nodes("control-plane"))


async def is_prepared(legacy: Legacy) -> None:
    planes = await legacy.nodes("control-plane")
    assert legacy.world.voters == await names(legacy)
    assert await balanced(legacy) == dict.fromkeys(await names(legacy), "ENABLED")
    for node in planes:
        assert node.spec.preparation is not None
        assert not node.spec.preparation.drained
        assert node.status.running["kube-apiserver"]["--anonymous-auth"] == "true"
        servers = {f"{other.status.address}:6443" for other in planes}
        assert {*node.status.api_servers} == servers


async def is_as_before(legacy: Legacy) -> None:
    assert legacy.world.voters == await names(legacy, "etcd-")
    assert await legacy.region.verda.loadbalancer.load_balancers() == []
    for node in await legacy.nodes("control-plane"):
        assert node.status.running["kube-apiserver"]["--anonymous-auth"] == "false"
        assert "legacy-api-detour" not in legacy.world.hosts[node.metadata.name].services


async def test_control_planes_are_prepared_and_taken_back_and_none_is_replaced(
    legacy: Legacy,
) -> None:
    await planned(legacy)  # before anybody could, who would get no answer of this cluster
    async with legacy.server(), running(legacy, PHASES):
        await standing(legacy)
        before = [node.metadata.uid for node in await legacy.nodes()]
        await ask(legacy, target="Prepared")
        await phase(legacy, "Prepared", 90.0)
        await is_prepared(legacy)
        await ask(legacy, target="Prepared", rollback=True)
        await phase(legacy, "RolledBack", 90.0)
        await is_as_before(legacy)
        assert [node.metadata.uid for node in await legacy.nodes()] == before
    assert legacy.world.votes[-1] == (2, 3), "membership never changed"


async def test_controller_and_hub_may_be_killed_at_any_time(legacy: Legacy) -> None:
    async with legacy.server():
        await standing(legacy)
    await planned(legacy)
    await ask(legacy, target="Prepared")
    await _through_kills(legacy, "Prepared")
    async with legacy.server():
        await legacy.settled(4)
        await is_prepared(legacy)
        secrets = (await legacy.client.list(Secret, legacy.namespace)).items
        reissued = [s for s in secrets if "-certificates-" in s.metadata.name]
        assert len(reissued) == 3, "one for each control plane, whatever was killed"
    await ask(legacy, target="Prepared", rollback=True)
    await _through_kills(legacy, "RolledBack")
    async with legacy.server():
        await legacy.settled(4)
        await is_as_before(legacy)


async def test_a_control_plane_that_dies_half_way_is_replaced_and_its_successor_prepared(
    legacy: Legacy,
) -> None:
    await planned(legacy)
    async with legacy.server(), running(legacy, PHASES):
        await standing(legacy)
        await ask(legacy, target="Prepared")
        dead = await eventually(lambda: _drained(legacy), 60.0)
        assert dead
        await legacy.datacenter.lose(dead)

        async def successor_prepared() -> bool:
            planes = await names(legacy)
            return dead not in planes and len(planes) == 3 and legacy.world.voters == planes

        await eventually(successor_prepared, 120.0)
        await phase(legacy, "Prepared", 60.0)
        await is_prepared(legacy)
    assert min(after for _, after in legacy.world.votes[2:]) >= 2, "never less than the quorum"


async def _drained(legacy: Legacy) -> str:
    """The name of the control plane that is out of use, if there is one."""
    for node in await legacy.nodes("control-plane"):
        if node.spec.preparation is not None and node.spec.preparation.drained:
            return node.metadata.name
    return ""


async def _through_kills(legacy: Legacy, wanted: str) -> None:
    for kills in range(30):
        with contextlib.suppress(TimeoutError):
            async with legacy.server(), running(legacy, PHASES):
                async with asyncio.timeout(1.5 + kills):
                    await phase(legacy, wanted, 90.0)
                    return
    raise AssertionError((await found(legacy)).status)
