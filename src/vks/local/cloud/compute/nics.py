"""A server's network interfaces: which ports it takes, makes and gives back."""

from __future__ import annotations

from typing import Any

from vks.local.cloud.compute.tables import Interface
from vks.local.cloud.core.database import Database
from vks.local.cloud.http.call import Call, Json
from vks.local.cloud.http.errors import ApiError, bad_request, conflict, forbidden
from vks.local.cloud.network.listing import visible
from vks.local.cloud.network.port_store import bind, make_port, remove_port, unbind
from vks.local.cloud.network.tables import NETWORKS, PORTS, SECURITY_GROUPS, Network, Port


def take_port(call: Call, port_id: str, server_id: str, zone: str, host: str) -> Interface:
    """Bind an existing port; 409 when somebody has it."""
    port = PORTS.get(call.db, id=port_id)
    if port is None or not _own(call, port.project_id):
        raise bad_request(f"Port id {port_id} could not be found.")
    if port.device_id:
        raise conflict(f"Port {port_id} is still in use.")
    if not port.fixed_ips:
        raise bad_request(f"Port {port_id} requires a FixedIP in order to be used.")
    bind(call.db, port, server_id, zone, host)
    return Interface(port_id=port_id, owned=False)


def new_port(
    call: Call,
    network_id: str,
    fixed_ip: str | None,
    groups: list[str] | None,
    server_id: str,
    zone: str,
    host: str,
) -> Interface:
    """Make a port that lives and dies with the server."""
    network = find_network(call, network_id)
    fixed = [{"ip_address": fixed_ip}] if fixed_ip else None
    try:
        port = make_port(
            call.db,
            network,
            call.caller.project,
            fixed_ips=fixed,
            device_id=server_id,
            security_group_ids=groups,
        )
    except ApiError as refused:
        raise _in_novas_words(refused, fixed_ip, network_id) from refused
    if not port.fixed_ips:
        raise bad_request(f"Network {network_id} requires a subnet in order to boot instances on.")
    bind(call.db, port, server_id, zone, host)
    return Interface(port_id=port.id, owned=True)


def _in_novas_words(refused: ApiError, fixed_ip: str | None, network_id: str) -> ApiError:
    if refused.kind == "OverQuota":
        return forbidden("Maximum number of ports exceeded")
    if refused.kind == "IpAddressAlreadyAllocated":
        return conflict(f"Fixed IP address {fixed_ip} is already in use on instance .")
    if refused.kind == "IpAddressGenerationFailure":
        return bad_request(f"No fixed IP addresses available for network: {network_id}")
    if refused.kind.startswith("InvalidIp"):
        return bad_request(
            f"Fixed IP {fixed_ip} is not a valid ip address for network {network_id}."
        )
    return refused


def find_network(call: Call, network_id: str) -> Network:
    network = NETWORKS.get(call.db, id=network_id)
    if network is None or not visible(call, network):
        raise bad_request(f"Network {network_id} could not be found.")
    return network


def interfaces_for(
    call: Call,
    requested: Any,
    groups: list[str] | None,
    server_id: str,
    zone: str,
    host: str,
) -> list[Interface]:
    """The interfaces for the `networks` of a request."""
    if requested == "none":
        return []
    if requested in (None, "auto", []):
        return [
            new_port(call, network_id, None, groups, server_id, zone, host)
            for network_id in _automatic(call)
        ]
    found = []
    for entry in requested:
        if entry.get("port"):
            found.append(take_port(call, entry["port"], server_id, zone, host))
        elif entry.get("uuid"):
            fixed_ip = entry.get("fixed_ip")
            found.append(new_port(call, entry["uuid"], fixed_ip, groups, server_id, zone, host))
        else:
            raise bad_request("Bad networks format: network uuid is not in proper format (None)")
    return found


def _automatic(call: Call) -> list[str]:
    """The project's only network, if it has one."""
    networks = [row for row in NETWORKS.find(call.db, project_id=call.caller.project)]
    networks = networks or [row for row in NETWORKS.find(call.db) if row.shared]
    if len(networks) > 1:
        raise conflict("Multiple possible networks found, use a Network ID to be more specific.")
    return [network.id for network in networks]


def groups_for(call: Call, requested: list[Json] | None) -> list[str] | None:
    """Security group ids for names or ids; None leaves the default group."""
    if not requested:
        return None
    own = SECURITY_GROUPS.find(call.db, project_id=call.caller.project)
    found: list[str] = []
    for entry in requested:
        wanted = entry.get("name", "")
        matches = [group for group in own if wanted in (group.id, group.name)]
        if not matches and wanted != "default":
            raise bad_request(
                f"Security group {wanted} not found for project {call.caller.project}."
            )
        if len(matches) > 1:
            raise conflict(
                f"Multiple security groups found matching '{wanted}'. Use an ID to be more "
                "specific."
            )
        found.extend(group.id for group in matches)
    return found or None


def give_back(db: Database, interface: Interface) -> None:
    """After unplugging: what Nova made goes, what it was given is free again."""
    port = PORTS.get(db, id=interface.port_id)
    if port is None:
        return
    if interface.owned:
        remove_port(db, port)
    else:
        unbind(db, port)


def port_of(db: Database, interface: Interface) -> Port | None:
    return PORTS.get(db, id=interface.port_id)


def _own(call: Call, project_id: str) -> bool:
    return call.caller.is_admin or project_id == call.caller.project
