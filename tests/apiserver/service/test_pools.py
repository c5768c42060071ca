"""Node pools through the REST API: what rolls, what does not, and what the plan says of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.apiserver.service.conftest import Vks
from tests.support.service import SSH_KEY, cluster_request, until

from vks.resources.clusterapi import Machine, MachineDeployment, MachineSet
from vks.resources.managedcluster import INITIAL_POOLS_ANNOTATION, ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation
from vks.resources.verdamachine import RootVolume, VerdaMachine, VerdaMachineTemplate
from vks.verda.compute import Keypair

POOL = "/clusters/demo/node-pools/default"
PLAIN = {"name": "default", "replicas": 3, "flavor": "small"}
SCRIPT = {"pre": "echo '<ü>' 2>&1 && true\n", "post": "echo post\n", "onFailure": "FailNode"}


async def created(vks: Vks, **more: Any) -> None:
    answer = await vks.call("POST", "/clusters", cluster_request(**more))
    assert answer.status_code == 202, answer.text


async def deployments(vks: Vks, pool: str = "default") -> list[MachineDeployment]:
    selector = f"vks.verda/pool={pool}"

    async def probe() -> list[MachineDeployment]:
        found = await vks.client.list(MachineDeployment, vks.namespace, label_selector=selector)
        return found.items if len(found.items) == 3 else []

    return sorted(await until(probe), key=lambda d: d.metadata.name)


async def templates(vks: Vks, pool: str = "default") -> set[tuple[str, str]]:
    """The names of what the pool's machines are stamped from."""
    return {
        (
            spec.infrastructure_ref.name,
            spec.bootstrap.config_ref.name if spec.bootstrap.config_ref else "",
        )
        for spec in (d.spec.template.spec for d in await deployments(vks, pool))
    }


async def patched(vks: Vks, body: dict[str, Any], path: str = POOL) -> None:
    """Changes a pool and waits until its controller has acted on it."""
    answer = await vks.call("PATCH", path, body)
    assert answer.status_code == 202, answer.text
    name = path.split("/")[2] + "." + path.rsplit("/", 1)[1]

    async def acted() -> bool:
        pool = await vks.client.get(NodePool, name, vks.namespace)
        return pool.status.observed_generation == pool.metadata.generation

    await until(acted)


async def machine(vks: Vks, deployment: MachineDeployment, server: str = "none") -> str:
    """A Machine as its MachineSet would make it."""
    labels = deployment.metadata.labels
    body = {
        "metadata": {
            "name": f"{deployment.metadata.name}-x",
            "namespace": vks.namespace,
            "labels": labels,
        },
        "spec": {
            "clusterName": "demo",
            "failureDomain": deployment.spec.template.spec.failure_domain,
            "bootstrap": {"dataSecretName": "none"},
            "infrastructureRef": {
                "apiGroup": "infrastructure.cluster.x-k8s.io",
                "kind": "VerdaMachine",
                "name": server,
            },
        },
    }
    made = await vks.client.create(Machine, body)
    return made.metadata.name


async def test_a_pool_is_what_was_asked_for(vks: Vks) -> None:
    asked = {
        "name": "default",
        "replicas": 3,
        "flavor": "small",
        "keyName": "key",
        "rootVolume": {"sizeGiB": 40},
        "labels": {"tier": "web"},
        "taints": [{"key": "gpu", "value": "a", "effect": "NoSchedule"}],
        "userScript": {**SCRIPT, "timeoutSeconds": 60},
        "maxSurge": 2,
        "maxUnavailable": 1,
        "drainTimeoutSeconds": 90,
    }
    await created(vks, nodePools=[asked])
    await deployments(vks)
    shown = (await vks.call("GET", POOL)).json()
    assert {field: shown[field] for field in asked} == asked
    deployment = await vks.client.get(
        MachineDeployment.resource, "demo-default-tokyo-1", vks.namespace
    )
    rolling = deployment["spec"]["rollout"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 2, "maxUnavailable": 1}
    machine = deployment["spec"]["template"]["spec"]
    reference = machine["infrastructureRef"]["name"]
    template = await vks.client.get(VerdaMachineTemplate, reference, vks.namespace)
    assert template.spec.template.spec.root_volume == RootVolume(size_gib=40)
    deletion = machine["deletion"]
    assert deletion["nodeDrainTimeoutSeconds"] == 90

    async def forgotten() -> bool:
        cluster = await vks.client.get(ManagedCluster, "demo", vks.namespace)
        return INITIAL_POOLS_ANNOTATION not in cluster.metadata.annotations

    await until(forgotten)


async def test_labels_taints_and_limits_replace_nothing(vks: Vks) -> None:
    await created(vks)
    before = await templates(vks)
    change = {
        "labels": {"tier": "web"},
        "taints": [{"key": "a", "effect": "NoExecute"}],
        "maxUnavailable": 1,
        "drainTimeoutSeconds": 5,
    }
    for one in await deployments(vks):
        await machine(vks, one)
    plan = (await vks.call("PATCH", f"{POOL}?dryRun=true", change)).json()
    assert plan["replaced"] == []
    assert set(plan["inPlace"]) == set(change)
    await patched(vks, change)
    assert await templates(vks) == before


async def test_a_changed_script_rolls_its_pool_alone_after_a_plan(vks: Vks) -> None:
    pool = {"replicas": 3, "flavor": "small", "maxSurge": 3}
    pools = [{**pool, "name": name} for name in ("default", "other")]
    await created(vks, nodePools=pools)
    ours, others = await templates(vks), await templates(vks, "other")
    machines = [await machine(vks, one) for one in await deployments(vks)]
    for one in await deployments(vks, "other"):
        await machine(vks, one)

    answer = await vks.call("PATCH", f"{POOL}?dryRun=true", {"userScript": SCRIPT})
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert [node["name"] for node in plan["replaced"]] == sorted(machines)
    assert plan["because"] == ["userScript"]
    assert plan["zones"] == [
        {"name": zone, "before": 1, "after": 1} for zone in ("tokyo-1", "tokyo-2", "tokyo-3")
    ]
    assert await templates(vks) == ours, "a plan changes nothing"

    await patched(vks, {"userScript": SCRIPT})
    (update,) = [
        operation
        for operation in (await vks.client.list(Operation, vks.namespace)).items
        if operation.spec.type == "UpdateNodePool"
    ]
    assert sorted(update.spec.replaces) == sorted(machines)
    assert not {config for _, config in await templates(vks)} & {config for _, config in ours}
    assert await templates(vks, "other") == others


async def test_a_key_is_read_when_it_is_named_and_another_one_rolls(vks: Vks) -> None:
    await created(vks, nodePools=[{**PLAIN, "keyName": "key", "maxSurge": 3}])
    before = await templates(vks)
    machines = [await machine(vks, one) for one in await deployments(vks)]
    shown = (await vks.call("GET", POOL)).json()
    assert (shown["keyName"], shown["sshPublicKey"]) == ("key", SSH_KEY)

    anew = f"{SSH_KEY[:-4]}AAAA"
    vks.identity.cloud.keys = [Keypair(name="key", public_key=anew)]
    await patched(vks, {"labels": {"a": "b"}})
    assert await templates(vks) == before, "nobody asked for the new key"
    plan = (await vks.call("PATCH", f"{POOL}?dryRun=true", {"keyName": "key"})).json()
    assert (plan["because"], len(plan["replaced"])) == (["sshPublicKey"], len(machines))
    await patched(vks, {"keyName": "key"})
    assert not await templates(vks) & before
    assert (await vks.call("GET", POOL)).json()["sshPublicKey"] == anew

    vks.identity.cloud.keys = []  # as somebody else of the project sees it
    await patched(vks, {"keyName": "key", "labels": {"a": "c"}})
    assert (await vks.call("GET", POOL)).json()["sshPublicKey"] == anew
    refused = await vks.call("PATCH", POOL, {"keyName": "other"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (404, "keyName")


async def test_zones_roll_one_after_the_other(vks: Vks) -> None:
    await created(vks)
    old = {template for template, _ in await templates(vks)}
    await rolled_out(vks)
    await patched(vks, {"image": "debian"})
    for number in (1, 2, 3):

        async def begun(number: int = number) -> bool:
            found = [d.spec.template.spec.infrastructure_ref.name for d in await deployments(vks)]
            return len([name for name in found if name not in old]) == number

        await until(begun)
        await rolled_out(vks)


async def rolled_out(vks: Vks) -> None:
    """What core does: machines of the present templates take the place of others."""
    for one in await deployments(vks):
        meta, template = one.metadata, one.spec.template.spec
        name = f"{meta.name}-{template.infrastructure_ref.name[-10:]}"
        own = {"cluster.x-k8s.io/deployment-name": meta.name}
        labels = {**meta.labels, **own, "cluster.x-k8s.io/set-name": name}
        about = {"name": name, "namespace": vks.namespace, "labels": labels}
        spec = (await vks.client.get(MachineDeployment.resource, meta.name, vks.namespace))["spec"]
        body = {key: spec[key] for key in ("clusterName", "selector", "replicas", "template")}
        await vks.client.apply(MachineSet, {"metadata": about, "spec": body}, field_manager="core")
        made = {"metadata": about, "spec": spec["template"]["spec"]}
        await vks.client.apply(Machine, made, field_manager="core")
        since = {"message": "", "lastTransitionTime": "2030-01-01T00:00:00Z"}
        ready = {"type": "Ready", "status": "True", "reason": "Ready", **since}
        await vks.client.merge_patch(
            Machine, name, vks.namespace, {"status": {"conditions": [ready]}}, subresource="status"
        )
        for other in (await vks.client.list(Machine, vks.namespace)).items:
            if own.items() <= other.metadata.labels.items() and other.metadata.name != name:
                await vks.client.delete(Machine, other.metadata.name, vks.namespace)


async def test_a_plan_is_good_for_the_pool_that_it_was_made_for(vks: Vks) -> None:
    await created(vks)
    await deployments(vks)
    plan = (await vks.call("PATCH", f"{POOL}?dryRun=true", {"image": "debian"})).json()
    assert plan["because"] == ["image"]
    await patched(vks, {"labels": {"a": "b"}})
    stale = await vks.call("PATCH", POOL, {"image": "debian"}, if_match=plan["etag"])
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    pool = await vks.client.get(NodePool, "demo.default", vks.namespace)
    assert pool.spec.image == "i1"


async def test_a_dry_run_that_is_invalid_is_refused_like_the_change(vks: Vks) -> None:
    await created(vks)
    await deployments(vks)
    answer = await vks.call("PATCH", f"{POOL}?dryRun=true", {"flavor": "huge"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "flavor")


async def test_a_merge_patch_keeps_what_it_does_not_name_and_null_takes_away(vks: Vks) -> None:
    pool = {"name": "default", "replicas": 1, "flavor": "small", "keyName": "key"}
    await created(vks, nodePools=[{**pool, "userScript": SCRIPT, "labels": {"a": "1", "b": "2"}}])
    await deployments(vks)
    await patched(
        vks, {"userScript": {"timeoutSeconds": 9}, "labels": {"a": None, "c": "3"}, "keyName": None}
    )
    shown = (await vks.call("GET", POOL)).json()
    assert shown["userScript"] == {**SCRIPT, "timeoutSeconds": 9}
    assert (shown["labels"], shown["keyName"]) == ({"b": "2", "c": "3"}, None)
    await patched(vks, {"userScript": None})
    assert (await vks.call("GET", POOL)).json()["userScript"] is None


async def test_a_pool_may_be_empty(vks: Vks) -> None:
    await created(vks, nodePools=[{"name": "default", "replicas": 0, "flavor": "small"}])
    assert [d.spec.replicas for d in await deployments(vks)] == [0, 0, 0]


async def test_what_a_deletion_deletes_and_keeps_is_listed(vks: Vks) -> None:
    pool = {"name": "default", "replicas": 1, "flavor": "small", "image": "debian"}
    await created(vks, nodePools=[pool])
    await machine(vks, (await deployments(vks))[0], server="demo-x")
    labels = {"cluster.x-k8s.io/cluster-name": "demo"}
    server = {
        "metadata": {"name": "demo-x", "namespace": vks.namespace, "labels": labels},
        "spec": {"flavor": "small", "image": "i1"},
    }
    await vks.client.create(VerdaMachine, server)
    status = {"serverID": "s1", "portID": "p1"}
    await vks.client.merge_patch(
        VerdaMachine, "demo-x", vks.namespace, {"status": status}, subresource="status"
    )

    async def listed() -> list[dict[str, Any]]:
        answer = await vks.call("GET", "/clusters/demo/associated-resources")
        items: list[dict[str, Any]] = answer.json().get("items", [])
        return items  # none while the API server has yet to open a new kind's storage: 429

    shown = await until(listed)
    found = {(item["type"], item["id"]): item["onDelete"] for item in shown}
    assert found == {
        ("server", "s1"): "deleted",
        ("port", "p1"): "deleted",
        ("image", "i1"): "kept",
        ("image", "i2"): "kept",
    }


async def test_a_protected_cluster_is_not_deleted(vks: Vks) -> None:
    await created(vks, deletionProtection=True)
    refused = await vks.call("DELETE", "/clusters/demo")
    assert (refused.status_code, refused.json()["code"]) == (409, "deletion_protected")
    assert [error["field"] for error in refused.json()["errors"]] == ["deletionProtection"]
    found = await vks.client.get(ManagedCluster, "demo", vks.namespace)
    assert not found.deleting
    kinds = {op.spec.type for op in (await vks.client.list(Operation, vks.namespace)).items}
    assert kinds == {"CreateCluster"}

    answer = await vks.call("PATCH", "/clusters/demo", {"deletionProtection": False})
    assert answer.status_code == 202, answer.text
    assert (await vks.call("DELETE", "/clusters/demo")).status_code == 202


@pytest.mark.parametrize("reason", ["NoRoomInZone", "QuotaExceeded", "NoFreeSlot"])
async def test_pool_and_operation_say_which_zone_has_no_room_until_it_has(
    vks: Vks, reason: str
) -> None:
    await created(vks)
    first = (await deployments(vks))[0]
    name = f"{first.metadata.name}-x"
    meta = {"name": name, "namespace": vks.namespace, "labels": first.metadata.labels}
    spec = {"flavor": "small", "image": "i1"}
    await vks.client.create(VerdaMachine, {"metadata": meta, "spec": spec})
    waiting = {
        "type": "Ready",
        "status": "False",
        "reason": reason,
        "message": "the cloud says no",
        "lastTransitionTime": "2030-01-01T00:00:00Z",
    }

    async def says(condition: dict[str, str]) -> None:
        status = {"conditions": [condition]}
        await vks.client.merge_patch(
            VerdaMachine, name, vks.namespace, {"status": status}, subresource="status"
        )

    await says(waiting)
    await machine(vks, first, server=name)
    sentence = "tokyo-1 has no room for 1 node: the cloud says no"

    async def said() -> tuple[bool, bool]:
        pool = (await vks.call("GET", POOL)).json()
        operation = (await vks.call("GET", "/operations")).json()["items"][0]
        return (
            sentence in [c["message"] for c in pool["status"]["conditions"]],
            any("the cloud says no" in step["message"] for step in operation["steps"]),
        )

    async def both() -> bool:
        return await said() == (True, True)

    async def neither() -> bool:
        return await said() == (False, False)

    await until(both)
    await says({**waiting, "status": "True", "reason": "Ready", "message": ""})
    await until(neither)
