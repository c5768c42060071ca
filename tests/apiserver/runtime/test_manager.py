from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from tests.support.apiserver import ApiServer
from tests.support.eventually import eventually

from vks.kube.client import Client
from vks.kube.objects import Key, KubeObject, Resource
from vks.kube.selectors import EVERYTHING
from vks.runtime.clusters import ClusterSet
from vks.runtime.controller import Controller
from vks.runtime.events import EVENTS
from vks.runtime.lease import LeaderElection, LeadershipLostError, Lease
from vks.runtime.manager import Manager
from vks.runtime.result import DONE, Result
from vks.runtime.shards import Sharding
from vks.runtime.watches import Watch


class ConfigMap(KubeObject, frozen=True):
    resource = Resource("", "v1", "ConfigMap", "configmaps")
    data: dict[str, str] = {}


def body(namespace: str, name: str, **data: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


@asynccontextmanager
async def running(manager: Manager) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(manager.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.wait({task}), 30)


async def test_a_controller_brings_objects_to_the_wanted_state_without_reading_stale_ones(
    client: Client, namespace: str
) -> None:
    """Every run sees its own last write: the counter never skips or repeats a number."""
    manager = Manager(client, name="test", http_port=0)
    store = manager.informer(ConfigMap, namespace=namespace).store
    seen: dict[str, list[int]] = {}

    async def reconcile(key: Key) -> Result:
        cached = store.get(key)
        if cached is None:
            return DONE
        count = int(cached.data.get("count", "0"))
        seen.setdefault(key.name, []).append(count)
        if count < 10:
            wanted = body(key.namespace, key.name, count=str(count + 1))
            await client.apply(ConfigMap, wanted, field_manager="test")
        return DONE

    manager.add(Controller("count", reconcile, watches=[Watch(ConfigMap, namespace=namespace)]))
    async with running(manager):
        names = [f"c{i}" for i in range(20)]
        for name in names:
            await client.create(ConfigMap, body(namespace, name))

        def all_counted() -> bool:
            return all(seen.get(name, [])[-1:] == [10] for name in names)

        await eventually(all_counted)
        for counts in seen.values():
            assert counts[:11] == list(range(11))
        async with aiohttp.ClientSession() as http:
            base = f"http://127.0.0.1:{manager.http_port}"
            async with http.get(f"{base}/readyz") as answer:
                assert answer.status == 200
            async with http.get(f"{base}/metrics") as answer:
                text = await answer.text()
        assert 'rest_client_requests_total{code="200"' in text
        assert 'workqueue_depth{controller="count"' in text


async def test_only_the_leader_works_and_hands_over_on_shutdown(
    client: Client, namespace: str
) -> None:
    worked: list[str] = []

    def replica(name: str) -> Manager:
        manager = Manager(
            client, name=name, leader_election=LeaderElection(namespace, "leader", 3.0, 2.0, 0.2)
        )

        async def reconcile(_: Key) -> Result:
            worked.append(name)
            return DONE

        manager.add(Controller(name, reconcile, watches=[Watch(ConfigMap, namespace=namespace)]))
        return manager

    async with running(replica("first")):
        await client.create(ConfigMap, body(namespace, "a"))
        await eventually(lambda: "first" in worked)
        stop = asyncio.Event()
        second = asyncio.create_task(replica("second").run(stop))
        await asyncio.sleep(1)
        assert "second" not in worked
    # Released, not expired: the next replica works at its next try.
    await eventually(lambda: "second" in worked, within=2)
    stop.set()
    await asyncio.wait_for(second, 10)
    lease = await client.get(Lease, "leader", namespace)
    assert lease.spec.holder_identity == ""


async def test_at_shutdown_readiness_goes_first_and_the_lease_last(
    client: Client, namespace: str
) -> None:
    started, finish, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    finished: list[Key | str] = []

    async def reconcile(key: Key) -> Result:
        started.set()
        await finish.wait()
        finished.append(key)
        return DONE

    class Connection:
        """Something that the reconcile uses to its end."""

        async def run(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                finished.append("connection")

    election = LeaderElection(namespace, "order", 3.0, 2.0, 0.2)
    manager = Manager(client, name="order", http_port=0, leader_election=election)
    manager.add(Connection())
    manager.add(Controller("c", reconcile, watches=[Watch(ConfigMap, namespace=namespace)]))
    task = asyncio.create_task(manager.run(stop))
    await client.create(ConfigMap, body(namespace, "a"))
    await started.wait()

    async with aiohttp.ClientSession(f"http://127.0.0.1:{manager.http_port}") as http:

        async def status(path: str) -> int:
            async with http.get(path) as answer:
                return answer.status

        async def not_ready() -> bool:
            return await status("/readyz") == 503

        assert await status("/readyz") == 200
        stop.set()
        await eventually(not_ready, within=10)
        assert await status("/healthz") == 200
        await client.create(ConfigMap, body(namespace, "too-late"))
        lease = await client.get(Lease, "order", namespace)
        assert (lease.spec.holder_identity, finished) == (manager.identity, [])
    finish.set()
    await asyncio.wait_for(task, 20)
    assert finished == [Key(namespace, "a"), "connection"]
    lease = await client.get(Lease, "order", namespace)
    assert lease.spec.holder_identity == ""


async def test_a_stolen_lease_ends_the_manager(client: Client, namespace: str) -> None:
    election = LeaderElection(namespace, "leader", 3.0, 2.0, 0.2)
    manager = Manager(client, name="robbed", leader_election=election)
    async with running(manager) as task:
        await eventually(
            lambda: (
                manager.metrics.registry.get_sample_value(
                    "leader_election_master_status", {"name": "leader"}
                )
                == 1
            )
        )
        robbery = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 60}}
        await client.merge_patch(Lease, "leader", namespace, robbery)
        await asyncio.wait({task}, timeout=10)
        assert task.done()
        with pytest.raises(LeadershipLostError):
            task.result()


async def test_replicas_with_shards_work_on_each_namespace_once(
    client: Client, namespace: str
) -> None:
    config = Sharding(
        namespace, "group", slots=4, lease_duration=6, renew_deadline=4, retry_period=0.3
    )
    worked: dict[str, set[str]] = {}

    def replica(name: str) -> Manager:
        manager = Manager(client, name=name, sharding=config)

        async def reconcile(key: Key) -> Result:
            worked.setdefault(str(key), set()).add(name)
            return DONE

        manager.add(
            Controller(name, reconcile, watches=[Watch(ConfigMap, label_selector="shard-test=1")])
        )
        return manager

    first, second = replica("one"), replica("two")
    async with running(first), running(second):
        await eventually(
            lambda: (
                first._shards is not None
                and second._shards is not None
                and len(first._shards.active) == len(second._shards.active) == 2
            )
        )
        labelled = body(namespace, "sharded", x="1")
        labelled["metadata"]["labels"] = {"shard-test": "1"}  # type: ignore[index]
        await client.create(ConfigMap, labelled)
        await eventually(lambda: f"{namespace}/sharded" in worked)
        await asyncio.sleep(0.5)
        assert len(worked[f"{namespace}/sharded"]) == 1


async def test_repeated_events_are_counted_and_floods_are_cut(
    client: Client, namespace: str
) -> None:
    manager = Manager(client, name="test")
    made = await client.create(ConfigMap, body(namespace, "a"))
    recorder = manager.recorder("test-controller")
    for _ in range(50):
        recorder.event(made, "Warning", "QuotaExceeded", "no more cores")
    for number in range(100):
        recorder.event(made, "Normal", "Flood", f"number {number}")
    await recorder.flush()
    events = (await client.list(EVENTS, namespace)).items
    assert len(events) == 25
    repeated = next(event for event in events if event["reason"] == "QuotaExceeded")
    assert repeated["series"]["count"] == 50
    assert repeated["regarding"]["uid"] == made.metadata.uid


async def test_another_cluster_is_followed_and_its_trouble_stays_its_own(
    client: Client, namespace: str, apiserver: ApiServer
) -> None:
    manager = Manager(client, name="test")
    clusters = ClusterSet(manager, {ConfigMap: EVERYTHING})
    seen: list[Key] = []
    states: list[Key] = []

    async def note(key: Key) -> Result:
        seen.append(key)
        return DONE

    async def note_state(key: Key) -> Result:
        states.append(key)
        return DONE

    source = clusters.source(ConfigMap, lambda cluster, obj: [Key(cluster.name, obj.key.name)])
    manager.add(Controller("remote", note, sources=[source]))
    manager.add(Controller("state", note_state, sources=[clusters.state_source()]))
    manager.add(clusters)
    good, dead = Key("n", "good"), Key("n", "dead")
    async with running(manager):
        remote = clusters.set(good, apiserver.kubeconfig)
        unreachable = clusters.set(dead, apiserver.kubeconfig_for("https://127.0.0.1:1"))
        await eventually(lambda: remote.reachable and unreachable.error is not None)
        await eventually(lambda: {good, dead} <= {*states})  # told by way of a queue
        assert not unreachable.reachable
        await client.create(ConfigMap, body(namespace, "remote-thing"))
        await eventually(lambda: Key("good", "remote-thing") in seen)
        # New credentials replace the connection and keep the cache.
        before = len(remote.store(ConfigMap))
        assert clusters.set(good, apiserver.kubeconfig + b"\n") is remote
        assert len(remote.store(ConfigMap)) == before
        await client.create(ConfigMap, body(namespace, "after-rotation"))
        await eventually(lambda: Key("good", "after-rotation") in seen)
        clusters.remove(good)
        assert clusters.get(good) is None
        assert clusters.clusters() == [dead]
