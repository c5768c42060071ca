"""The cache against a real server through a connection that does its worst, and a server that
dies, restarts and forgets its history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.chaosproxy import ChaosProxy
from tests.support.eventually import eventually

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.objects import Key, KubeObject, Resource
from vks.kube.selectors import Selection
from vks.runtime import reflector
from vks.runtime.informer import Change, Informer


class ConfigMap(KubeObject, frozen=True):
    resource = Resource("", "v1", "ConfigMap", "configmaps")
    data: dict[str, str] = {}


async def truth(client: Client, namespace: str) -> dict[Key, str]:
    listed = await client.list(ConfigMap, namespace)
    return {item.key: item.metadata.resource_version for item in listed.items}


async def test_the_cache_converges_through_cuts_stalls_and_refusals(
    apiserver: ApiServer, client: Client, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "INACTIVITY_TIMEOUT", 1.0)
    rng = Random(7)
    mirror: dict[Key, str] = {}

    def note(change: Change[ConfigMap]) -> None:
        known = change.old.metadata.resource_version if change.old else None
        if change.new is None:
            assert mirror.pop(change.key, None) is not None
        else:
            assert mirror.get(change.key) == known
            mirror[change.key] = change.new.metadata.resource_version

    async with ChaosProxy(apiserver.port) as proxy:
        config = ClientConfig.from_kubeconfig(
            apiserver.kubeconfig_for(f"https://127.0.0.1:{proxy.port}")
        )
        async with Client(config, timeout=3.0) as fragile:
            informer = Informer(fragile, ConfigMap, Selection(namespace), rng=rng)
            informer.add_handler(note)
            task = asyncio.create_task(informer.run())
            for _ in range(60):
                name = f"c{rng.randrange(8)}"
                if rng.random() < 0.3:
                    await client.delete(ConfigMap, name, namespace)
                else:
                    document = {
                        "metadata": {"name": name, "namespace": namespace},
                        "data": {"v": str(rng.random())},
                    }
                    await client.apply(ConfigMap, document, field_manager="test")
                rng.choice([proxy.cut, proxy.stall, proxy.refuse, proxy.heal, proxy.heal])()
                await asyncio.sleep(rng.random() * 0.1)
            proxy.heal()
            expected = await truth(client, namespace)

            def converged() -> bool:
                cached = {o.key: o.metadata.resource_version for o in informer.store.list()}
                return cached == expected == mirror

            await eventually(converged, within=40)
            assert proxy.connections > 3
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[ApiServer]:
    """A server of the test's own, to be killed."""
    with running_apiserver(tmp_path) as server:
        yield server


async def test_a_killed_server_with_compacted_history_is_listed_again(mortal: ApiServer) -> None:
    async with Client(mortal.config) as client:
        for name in ("stays", "goes"):
            document = {"metadata": {"name": name, "namespace": "default"}}
            await client.create(ConfigMap, document)
        informer = Informer(client, ConfigMap, rng=Random(1))
        deleted: list[str] = []

        def note(change: Change[ConfigMap]) -> None:
            if change.new is None:
                deleted.append(change.key.name)

        informer.add_handler(note)
        task = asyncio.create_task(informer.run())
        await asyncio.wait_for(informer.wait_synced(), 20)
        task.cancel()  # we do not look while it happens
        await asyncio.gather(task, return_exceptions=True)
        await client.delete(ConfigMap, "goes", "default")
        for number in range(20):
            patch = {"data": {"n": str(number)}}
            await client.merge_patch(ConfigMap, "stays", "default", patch)
        await asyncio.to_thread(mortal.compact)
        await asyncio.to_thread(mortal.kill_server)
        task = asyncio.create_task(informer.run())
        await eventually(lambda: informer.error is not None)
        await asyncio.to_thread(mortal.start)
        await eventually(lambda: deleted == ["goes"], within=40)
        stays = informer.store.get(Key("default", "stays"))
        assert stays is not None
        assert stays.data == {"n": "19"}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
