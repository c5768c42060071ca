"""Ports as a thing: made, bound, unbound, removed; for Neutron's API and for Nova alike."""

from __future__ import annotations

import secrets

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import new_uuid, seconds
from vks.local.cloud.http.call import Json
from vks.local.cloud.http.errors import ApiError, conflict
from vks.local.cloud.network.addresses import assign, release
from vks.local.cloud.network.listing import touch
from vks.local.cloud.network.quotas import reserve
from vks.local.cloud.network.security_groups import ensure_default_group
from vks.local.cloud.network.tables import PORTS, Network, Port

ROUTER_OWNERS = ("network:router_interface", "network:router_gateway")


def make_port(
    db: Database,
    network: Network,
    project_id: str,
    *,
    name: str = "",
    description: str = "",
    mac_address: str | None = None,
    fixed_ips: list[Json] | None = None,
    device_id: str = "",
    device_owner: str = "",
    security_group_ids: list[str] | None = None,
    allowed_address_pairs: list[dict[str, str]] | None = None,
    admin_state_up: bool = True,
    port_security_enabled: bool | None = None,
    tags: list[str] | None = None,
) -> Port:
    """Raises Neutron's ApiErrors: over quota, address or MAC taken, none left."""
    reserve(db, "port", project_id)
    port_id = new_uuid()
    if mac_address is not None:
        mac_address = mac_address.lower()
        if PORTS.get(db, network_id=network.id, mac_address=mac_address):
            raise conflict(
                f"Unable to complete operation for network {network.id}. "
                f"The mac address {mac_address} is in use.",
                kind="MacAddressInUse",
            )
    secured = (
        network.port_security_enabled if port_security_enabled is None else (port_security_enabled)
    )
    if security_group_ids is None:
        needs_group = secured and not device_owner.startswith("network:")
        security_group_ids = [ensure_default_group(db, project_id).id] if needs_group else []
    addresses = assign(db, port_id, network.id, fixed_ips, device_owner)
    moment = seconds()
    port = Port(
        id=port_id,
        project_id=project_id,
        name=name,
        description=description,
        tags=tags or [],
        created_at=moment,
        updated_at=moment,
        revision_number=1,
        network_id=network.id,
        mac_address=mac_address or _free_mac(db, network.id),
        admin_state_up=admin_state_up,
        status="ACTIVE" if device_owner in ROUTER_OWNERS else "DOWN",
        device_id=device_id,
        device_owner=device_owner,
        host_id="",
        fixed_ips=addresses,
        allowed_address_pairs=allowed_address_pairs or [],
        security_group_ids=security_group_ids,
        port_security_enabled=secured,
    )
    return PORTS.insert(db, port)


def readdress(db: Database, port: Port, wanted: list[Json]) -> list[dict[str, str]]:
    """Exchange the port's addresses; those that it keeps stay its own."""
    release(db, port.id)
    return assign(db, port.id, port.network_id, wanted, port.device_owner)


def bind(db: Database, port: Port, device_id: str, zone: str, host: str) -> Port:
    """Nova's server takes the port; it becomes ACTIVE when the server has it plugged."""
    return touch(
        db,
        PORTS,
        port,
        device_id=device_id,
        device_owner=f"compute:{zone}",
        host_id=host,
        status="DOWN",
    )


def unbind(db: Database, port: Port) -> Port:
    """The port is nobody's again and keeps its addresses and MAC."""
    return touch(db, PORTS, port, device_id="", device_owner="", host_id="", status="DOWN")


def set_status(db: Database, port: Port, status: str) -> Port:
    return port if port.status == status else touch(db, PORTS, port, status=status)


def remove_port(db: Database, port: Port) -> None:
    release(db, port.id)
    PORTS.delete(db, id=port.id)


def service_port_in_use(port: Port) -> ApiError:
    return conflict(
        f"Port {port.id} cannot be deleted directly via the port API: "
        f"has device owner {port.device_owner}.",
        kind="ServicePortInUse",
    )


def _free_mac(db: Database, network_id: str) -> str:
    """In fa:16:3e, which is Neutron's own prefix."""
    while True:
        mac = "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))
        if not PORTS.count(db, network_id=network_id, mac_address=mac):
            return mac
