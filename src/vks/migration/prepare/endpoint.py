"""Users and nodes are sent to the load balancer."""

from __future__ import annotations

import dataclasses

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.migration.prepare.loadbalancing import balancer_of
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.legacycluster import LegacyCluster, kubeconfig_name
from vks.runtime.result import Waiting
from vks.verda.apibalancer import API_PORT

POLL = 1.0


class PublicEndpoint:
    name = "PublicEndpoint"

    async def do(self, scope: Scope) -> None:
        balancer = await balancer_of(scope)
        members = await scope.cloud.loadbalancer.members(balancer.pool_id)
        down = sorted(m.name for m in members if m.operating_status != "ONLINE")
        if down or not members:
            raise Waiting("MembersOffline", f"not serving: {', '.join(down)}", POLL)
        endpoint = {"host": balancer.vip_address, "port": API_PORT}
        current = scope.cluster.spec.endpoint
        if current is None or current.host != balancer.vip_address:
            await _answers(scope, balancer.vip_address)
            await _publish(scope, {"endpoint": endpoint})
        known = scope.cluster.status.endpoint
        if known is None or known.host != balancer.vip_address:
            raise Waiting("EndpointPending", "the load balancer's address is being published", POLL)
        way = f"{balancer.vip_address}:{API_PORT}"
        late = [n.metadata.name for n in scope.nodes if way not in n.status.api_servers]
        if late:
            raise Waiting("NodesPending", f"do not know the way yet: {', '.join(late)}", POLL)

    async def undo(self, scope: Scope) -> None:
        given = scope.cluster.spec.endpoint
        if given is not None:
            await _publish(scope, {})
            raise Waiting("EndpointPending", "a control plane's address is being published", POLL)
        ways = {n.status.address for n in scope.control_planes}
        known = scope.cluster.status.endpoint
        if known is None or known.host not in ways:
            raise Waiting("EndpointPending", "no control plane's address is published yet", POLL)
        late = [
            node.metadata.name
            for node in scope.nodes
            if any(name.rpartition(":")[0] not in ways for name in node.status.api_servers)
        ]
        if late:
            raise Waiting("NodesPending", f"use the load balancer still: {', '.join(late)}", POLL)


async def _answers(scope: Scope, host: str) -> None:
    """Whether clients will trust what answers there. Raises ApiError when they will not."""
    secret = await scope.secret(kubeconfig_name(scope.name))
    config = ClientConfig.from_kubeconfig(secret["value"])
    there = dataclasses.replace(config, server=f"https://{host}:{API_PORT}")
    async with Client(there, user_agent=FIELD_MANAGER, timeout=5.0) as client:
        await client.raw("GET", "/readyz")


async def _publish(scope: Scope, spec: dict[str, object]) -> None:
    meta = {"name": scope.name, "namespace": scope.namespace, "uid": scope.cluster.metadata.uid}
    body = {"metadata": meta, "spec": spec}
    await scope.client.apply(LegacyCluster, body, field_manager=FIELD_MANAGER)
