"""The machines of a cluster as the API shows them, whichever provisioner made them."""

from __future__ import annotations

from typing import NamedTuple

from vks.resources.clusterapi import Machine
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.legacynode import LegacyNode
from vks.resources.verdamachine import VerdaMachine
from vks.service.api.regions import Region
from vks.service.provisioners.legacy.view import machine_of, server_of


class Found(NamedTuple):
    """A machine and its server, which may not be there yet."""

    machine: Machine
    server: VerdaMachine | None


async def machines_of(region: Region, namespace: str, cluster: str) -> list[Found]:
    """By name. Raises ApiError."""
    selector = f"{CLUSTER_NAME_LABEL}={cluster}"
    machines = await region.client.list(Machine, namespace, label_selector=selector)
    servers = await region.client.list(VerdaMachine, namespace, label_selector=selector)
    nodes = await region.client.list(LegacyNode, namespace, label_selector=selector)
    by_name = {server.metadata.name: server for server in servers.items}
    found = [
        Found(machine, by_name.get(machine.spec.infrastructure_ref.name))
        for machine in machines.items
    ]
    found += [Found(machine_of(node), server_of(node)) for node in nodes.items]
    return sorted(found, key=lambda item: item.machine.metadata.name)
