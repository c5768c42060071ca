"""A cluster that has been converted in part is given back: the legacy provisioner builds anew what
was replaced, and touches nothing else. The cluster's own API is for once the test's API server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
from collections.abc import AsyncIterator

import pytest
from tests.apiserver.legacy.region import NAME, Legacy
from tests.apiserver.migration.migrating import running
from tests.apiserver.migration.test_adopt import Way
from tests.apiserver.provider.region import eventually, provider
from tests.support.apiserver import ApiServer
from tests.support.service import controllers, install_crds

from vks.kube.errors import NotFound
from vks.migration.convert.replace import Replace
from vks.migration.phases import ADOPT
from vks.migration.run.phase import Phase
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.core import Node, Secret
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.verdamachine import VerdaMachine

pytestmark = pytest.mark.timeout(240)

PHASES = (ADOPT, Phase("Convert", "Converting", "Converted", (Replace(),)))
GUEST = "guest-w"


class Kubelets:
    """What registers as a node in the made-up cluster is one in the API server, and the other way
    round what is deleted there."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._mine: set[str] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for name in self._mine:
                with contextlib.suppress(NotFound):
                    await self._way.client.delete(Node, name)

    async def _run(self) -> None:
        while True:
            known = self._way.legacy.world.nodes
            for name in known.keys() - self._mine:
                cidr = known[name]["spec"]["podCIDR"]
                meta = {"name": name}
                await self._way.client.apply(
                    Node, {"metadata": meta, "spec": {"podCIDR": cidr}}, field_manager="kubelet"
                )
                network = (await self._way.legacy.nodes())[0].status.address.rpartition(".")[0]
                address = {"type": "InternalIP", "address": f"{network}.{200 + len(self._mine)}"}
                status = {"status": {"addresses": [address]}}
                await self._way.client.merge_patch(Node, name, "", status, subresource="status")
                self._mine.add(name)
            for name in self._mine - known.keys():
                self._mine.discard(name)
                await self._way.client.delete(Node, name)
            await asyncio.sleep(0.05)


@pytest.fixture
async def way(legacy: Legacy, apiserver: ApiServer) -> AsyncIterator[Way]:
    await install_crds(legacy.client)
    way = Way(legacy)
    async with (
        controllers(legacy.client),
        provider(legacy.client, legacy.namespace),
        legacy.server(),
        way.core.running(),
    ):
        await way.make()
        await way.prepare()
        async with Kubelets(way).running():
            async with running(legacy, PHASES):
                await way.ask(target="Adopted")
                await way.reached("Adopted")
            inside = base64.b64encode(apiserver.kubeconfig).decode()
            patch = {"data": {"value": inside}}
            await way.client.merge_patch(Secret, f"{NAME}-kubeconfig", way.namespace, patch)
            yield way


async def convert_worker(way: Way) -> str:
    """As Cluster API does it: its own worker comes, the one that was taken over goes. The id of the
    server that is gone."""
    (old,) = await way.legacy.nodes("worker")
    name, world = old.metadata.name, way.legacy.world
    body = await way.client.get(Machine.resource, name, way.namespace)
    labels = body["metadata"]["labels"]
    reference = {**body["spec"]["infrastructureRef"], "name": GUEST}
    spec = {**body["spec"], "infrastructureRef": reference, "bootstrap": {"dataSecretName": "x"}}
    spec.pop("providerID", None)
    meta = {"name": GUEST, "namespace": way.namespace, "labels": labels}
    server = await way.client.get(VerdaMachine.resource, name, way.namespace)
    wanted = {key: server["spec"][key] for key in ("flavor", "image", "availabilityZone")}
    await way.client.create(VerdaMachine, {"metadata": meta, "spec": wanted})
    await way.client.create(Machine, {"metadata": meta, "spec": spec})
    world.register(GUEST)

    released = {"spec": {"adoptedServerPolicy": "Delete"}}
    await way.client.merge_patch(VerdaMachine, name, way.namespace, released)
    for model in (VerdaMachine, Machine):
        await way.client.delete(model, name, way.namespace)
    world.nodes.pop(name)

    async def gone() -> bool:
        present = (await way.client.list(VerdaMachine, way.namespace)).items
        return name not in {machine.metadata.name for machine in present}

    await eventually(gone, 30.0)
    assert old.status.server_id is not None
    return old.status.server_id


async def alive(way: Way) -> set[str]:
    return {s.id for s in await way.legacy.region.verda.compute.servers() if s.status == "ACTIVE"}


async def test_what_was_replaced_is_built_anew_once_whatever_is_killed(way: Way) -> None:
    before = await alive(way)
    async with running(way.legacy, PHASES):
        await way.ask(target="Converted")
        await way.reached("Converting")
    lost = await convert_worker(way)
    kept = before - {lost}
    chance = random.Random(7)
    await way.ask(target="Converted", rollback=True)
    for _ in range(30):
        async with running(way.legacy, PHASES):
            await asyncio.sleep(0.2 + chance.random())
        assert kept <= await alive(way), "what was taken over is not touched"
        if await way.phase() == "RolledBack":
            break
    async with running(way.legacy, PHASES):
        await way.reached("RolledBack")
    await way.legacy.settled(4)
    now = await alive(way)
    assert len(now - kept) == 1, "one, and once"
    (successor,) = await way.legacy.nodes("worker")
    assert now - kept == {successor.status.server_id}
    assert successor.spec.pool == "default"
    assert GUEST not in way.legacy.world.nodes
    for model in (Cluster, Machine, VerdaMachine):
        assert (await way.client.list(model, way.namespace)).items == []
    cluster = await way.client.get(LegacyCluster, NAME, way.namespace)
    assert (cluster.spec.guests, cluster.spec.release) == ((), None)


async def test_a_guest_stays_until_its_successor_serves(way: Way) -> None:
    async with running(way.legacy, PHASES):
        await way.ask(target="Converted")
        await way.reached("Converting")
        await convert_worker(way)
        way.legacy.datacenter.held = True
        await way.ask(target="Converted", rollback=True)

        async def has_successor() -> LegacyNode | None:
            found = [n for n in await way.legacy.nodes("worker") if not n.deleting]
            return found[0] if found else None

        assert await eventually(has_successor, 60.0)
        await asyncio.sleep(2.0)
        assert GUEST in way.legacy.world.nodes
        way.legacy.datacenter.held = False
        await way.reached("RolledBack")
    assert GUEST not in way.legacy.world.nodes
