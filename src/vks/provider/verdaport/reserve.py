"""Phase: the port in Neutron. One that somebody deleted is made again as it was."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

import msgspec

from vks.provider.ownership import owner_id
from vks.resources.clusterapi import Cluster
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdaport import VerdaPort, VerdaPortStatus
from vks.runtime.result import Waiting
from vks.verda.accounts import Account
from vks.verda.errors import Conflict, InvalidRequest, NotFound
from vks.verda.network import Port, PortRequest, Subnet

#: Seconds after which an address that is taken or not allowed is asked for again.
BLOCKED_POLL = 10.0


class Scope(NamedTuple):
    """What a port is made in."""

    owner_cluster: Cluster
    verda_cluster: VerdaCluster
    account: Account


async def reserve(port: VerdaPort, scope: Scope) -> VerdaPortStatus:
    """Make or find the port; the status with what it is. Raises Waiting and CloudError."""
    client = scope.account.cloud.network
    status = port.status
    if status.port_id:
        try:
            await client.port(status.port_id)
            return status
        except NotFound:
            pass  # deleted by someone: make it again, with the same address and MAC
    subnet = await _subnet(port, scope)
    try:
        made = await client.create_port(owner_id(port), _request(port, subnet, scope))
    except Conflict as error:
        raise Waiting("AddressInUse", error.message, BLOCKED_POLL) from error
    except InvalidRequest as error:
        raise Waiting("AddressInvalid", error.message, BLOCKED_POLL) from error
    return _with(status, made, subnet)


async def _subnet(port: VerdaPort, scope: Scope) -> Subnet:
    network = scope.verda_cluster.status.network
    wanted = port.spec.subnet_id or network.subnet_id
    try:
        subnet = await scope.account.cloud.network.subnet(wanted)
    except NotFound:
        raise Waiting("SubnetNotFound", f"there is no subnet {wanted}", BLOCKED_POLL) from None
    if subnet.network_id != network.network_id:
        message = f"subnet {wanted} is not in the cluster's network {network.network_id}"
        raise Waiting("SubnetOutsideNetwork", message, BLOCKED_POLL)
    return subnet


def _request(port: VerdaPort, subnet: Subnet, scope: Scope) -> PortRequest:
    return PortRequest(
        name=port.metadata.name,
        network_id=subnet.network_id,
        subnet_id=subnet.id,
        security_group_ids=(scope.verda_cluster.status.network.security_group_id,),
        allowed_cidrs=scope.owner_cluster.spec.cluster_network.pods.cidr_blocks,
        ip_address=port.status.address or port.spec.address,
        mac_address=port.status.mac_address or None,
    )


def _with(status: VerdaPortStatus, port: Port, subnet: Subnet) -> VerdaPortStatus:
    return msgspec.structs.replace(
        status,
        port_id=port.id,
        address=port.ip,
        mac_address=port.mac_address,
        network_id=port.network_id,
        subnet_id=subnet.id,
        prefix=ipaddress.ip_network(subnet.cidr).prefixlen,
        gateway=subnet.gateway_ip or "",
    )
