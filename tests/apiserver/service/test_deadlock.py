"""A control plane's server dies while another control plane joins."""

from __future__ import annotations

from typing import Any

from tests.apiserver.service.conftest import Vks
from tests.support.service import cluster_request, until

from vks.kube.errors import NotFound
from vks.resources.clusterapi import KubeadmControlPlane, Machine

PAUSED = "cluster.x-k8s.io/paused"
SINCE = "2026-01-01T00:00:00Z"


async def make_plane(vks: Vks, name: str, *, joined: bool = True) -> None:
    """As the control plane provider makes it; core has yet to let it go."""
    config = {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfig", "name": name}
    server = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "VerdaMachine", "name": name}
    labels = {"cluster.x-k8s.io/cluster-name": "demo", "cluster.x-k8s.io/control-plane": ""}
    body = {
        "metadata": {
            "name": name,
            "namespace": vks.namespace,
            "labels": labels,
            "finalizers": ["tests.vks.verda/core"],
        },
        "spec": {
            "clusterName": "demo",
            "version": "v1.36.3",
            "bootstrap": {"configRef": config},
            "infrastructureRef": server,
        },
    }
    await vks.client.create(Machine, body)
    if joined:
        await say(vks, name, nodeRef={"name": name})


async def say(vks: Vks, name: str, *conditions: dict[str, str], **more: Any) -> None:
    common = {"status": "False", "message": "", "lastTransitionTime": SINCE}
    status = {"status": {**more, "conditions": [{**common, **told} for told in conditions]}}
    await vks.client.merge_patch(Machine, name, vks.namespace, status, subresource="status")


async def going(vks: Vks) -> set[str]:
    found = (await vks.client.list(Machine, vks.namespace)).items
    return {machine.metadata.name for machine in found if machine.deleting}


async def pause(vks: Vks, value: str | None) -> None:
    patch = {"metadata": {"annotations": {PAUSED: value}}}

    async def told() -> bool:
        try:
            await vks.client.merge_patch(KubeadmControlPlane, "demo-cp", vks.namespace, patch)
        except NotFound:
            return False
        return True

    await until(told)


async def events(vks: Vks, reason: str) -> list[str]:
    found = (await vks.call("GET", "/clusters/demo/events")).json()["items"]
    return [event["message"] for event in found if event["reason"] == reason]


async def test_the_newcomer_is_deleted_alone_and_not_while_its_provider_is_paused(vks: Vks) -> None:
    assert (await vks.call("POST", "/clusters", cluster_request())).status_code == 202
    await pause(vks, "")
    for name in ("demo-cp-a", "demo-cp-b", "demo-cp-c"):
        await make_plane(vks, name)
    await make_plane(vks, "demo-cp-new", joined=False)
    await say(
        vks,
        "demo-cp-c",
        {"type": "ServerHealthy", "reason": "ServerStopped"},
        {"type": "HealthCheckSucceeded", "reason": "UnhealthyMachine"},
    )
    await until(lambda: events(vks, "Unhealthy"))  # by then the breaker has looked, too
    assert await going(vks) == set()

    await pause(vks, None)
    (message,) = await until(lambda: events(vks, "JoinImpossible"))
    assert message == "demo-cp-new cannot join while demo-cp-c is dead, and goes first"
    assert await going(vks) == {"demo-cp-new"}
