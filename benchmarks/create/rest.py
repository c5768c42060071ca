"""The cluster by way of VKS: one `POST …/clusters`, then watching."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.create.readiness import RESOLUTION, wait_complete
from benchmarks.create.region import Region
from benchmarks.create.timeline import Run
from vks.cli.api import Api
from vks.cli.cluster import newest_version
from vks.cli.demo import request
from vks.cli.errors import CliError
from vks.cli.session import sign_in
from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.objects import find_condition
from vks.kube.times import parse_time
from vks.resources.clusterapi import KubeadmControlPlane, Machine
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.core import Node
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine

NAME = "bench"
_NODES = 6
_NAMESPACE = "p-test"


class ClusterFailedError(Exception):
    """The operation failed; the message is its error."""


async def run(region: Region, timeout: float) -> Run:
    """Makes the cluster, measures, and deletes it. Raises ClusterFailedError and
    TookTooLongError."""
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(region.layout.clouds_yaml)}
    api = Api(await asyncio.to_thread(sign_in, environment, "demo"))
    version = await asyncio.to_thread(newest_version, api, region.instance.name)
    body = {**request(region.instance.name, version), "name": NAME}
    run = Run()
    try:
        operation = await _change(api, "POST", api.path("clusters"), body)
        run.mark("operationAccepted")
        await _complete(region, api, run, time.time() + timeout)
        await _succeeded(api, operation["id"], run)
        await _explain(region, run)
    finally:
        await _delete(api)
    return run


async def _complete(region: Region, api: Api, run: Run, deadline: float) -> None:
    kubeconfig = await _kubeconfig(api, deadline)
    run.mark("kubeconfigIssued")

    async def saw(nodes: Sequence[Node]) -> None:
        run.ready(nodes)

    async with Client(ClientConfig.from_kubeconfig(kubeconfig), user_agent="bench") as client:
        run.mark("complete", await wait_complete(client, _NODES, deadline, saw))
        for node in (await client.list(Node)).items:
            run.node(node)


async def _kubeconfig(api: Api, deadline: float) -> bytes:
    """The cluster's kubeconfig, as soon as the service can issue one."""
    while True:
        try:
            issued = await _change(api, "POST", api.path("clusters", NAME, "kubeconfig"), {})
            return str(issued["kubeconfig"]).encode()
        except CliError:
            if time.time() > deadline:
                raise
        await asyncio.sleep(RESOLUTION)


async def _succeeded(api: Api, operation: str, run: Run) -> None:
    """When VKS itself says that it is done. The steps' times are the operation's own."""
    while True:
        seen = await asyncio.to_thread(api.get, api.path("operations", operation))
        if seen["phase"] != "Running":
            break
        await asyncio.sleep(RESOLUTION)
    if seen["phase"] != "Succeeded":
        raise ClusterFailedError(f"{seen['phase']}: {seen.get('error')}")
    run.mark("operationSucceeded")
    for step in seen["steps"]:
        run.mark_api_time(f"step{step['name']}", step.get("finished"))


async def _explain(region: Region, run: Run) -> None:
    """The management cluster's side: its objects say when they were made and became what."""
    async with Client(region.management, user_agent="bench") as client:
        infrastructure = await client.get(VerdaCluster, NAME, _NAMESPACE)
        for type_ in ("NetworkReady", "LoadBalancerReady", "Ready"):
            run.mark_api_time(f"infrastructure{type_}", _since(infrastructure.status, type_))
        plane = (await client.list(KubeadmControlPlane, _NAMESPACE)).items[0]
        for type_ in ("Initialized", "Available"):
            run.mark_api_time(f"controlPlane{type_}", _since(plane.status, type_))
        selector = f"{CLUSTER_NAME_LABEL}={NAME}"
        machines = await client.list(Machine, _NAMESPACE, label_selector=selector)
        servers = await client.list(VerdaMachine, _NAMESPACE, label_selector=selector)
    made = {machine.metadata.name: machine for machine in machines.items}
    for server in servers.items:
        name, machine = server.metadata.name, made[server.metadata.name]
        run.server(
            name,
            role="control-plane" if machine.is_control_plane else "worker",
            machine=_seconds(run, machine.metadata.creation_timestamp),
            bootstrapData=_seconds(run, _since(server.status, "BootstrapDataReady")),
            active=_seconds(run, _since(server.status, "ServerReady")),
            nodeHealthy=_seconds(run, _since(server.status, "NodeHealthy")),
        )
        if server.status.server_id:
            run.boot(name, region.server(server.status.server_id).disk)


def _since(status: Any, type_: str) -> str | None:
    condition = find_condition(status.conditions, type_)
    return condition.last_transition_time if condition and condition.status == "True" else None


def _seconds(run: Run, moment: str | None) -> float | None:
    return run.since(parse_time(moment).timestamp()) if moment else None


async def _delete(api: Api) -> None:
    operation = await _change(api, "DELETE", api.path("clusters", NAME))
    while True:
        seen = await asyncio.to_thread(api.get, api.path("operations", operation["id"]))
        if seen["phase"] == "Succeeded":
            return
        await asyncio.sleep(1.0)


async def _change(api: Api, method: str, path: str, body: Any = None) -> dict[str, Any]:
    return await asyncio.to_thread(api.change, method, path, body)
