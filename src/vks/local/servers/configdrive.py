"""The OpenStack config drive of a server: what Nova hands to cloud-init.

Layout and fields as in Nova's metadata (`openstack/latest/…`, see its user guide "Metadata"),
so that user data such as `{{ ds.meta_data.uuid }}` works as on the real cloud.
"""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from vks.local.servers.types import ServerSpec

_ANY = str(ipaddress.IPv4Network("0.0.0.0/0").network_address)


def config_drive(spec: ServerSpec) -> dict[str, bytes]:
    """The files of the drive by path. `user_data` is absent when the server has none."""
    files = {
        "openstack/latest/meta_data.json": _json(meta_data(spec)),
        "openstack/latest/network_data.json": _json(_network_data(spec)),
        "openstack/latest/vendor_data.json": _json({}),
    }
    if spec.user_data:
        files["openstack/latest/user_data"] = spec.user_data
    return files


def dns_servers(spec: ServerSpec) -> tuple[str, ...]:
    """The server's resolvers: those asked for, else the first port's gateway."""
    if spec.dns_servers or not spec.ports or spec.ports[0].gateway is None:
        return spec.dns_servers
    return (spec.ports[0].gateway,)


def meta_data(spec: ServerSpec) -> dict[str, Any]:
    """What a template of the user data finds as `ds.meta_data`."""
    return {
        "uuid": spec.id,
        "name": spec.name,
        "hostname": spec.hostname,
        "availability_zone": spec.zone,
        "project_id": spec.project_id,
        "launch_index": 0,
        "meta": spec.metadata,
        "public_keys": spec.public_keys,
        "keys": [
            {"name": name, "type": "ssh", "data": key} for name, key in spec.public_keys.items()
        ],
        "devices": [],
    }


def _network_data(spec: ServerSpec) -> dict[str, Any]:
    links, networks = [], []
    for index, port in enumerate(spec.ports):
        link = f"tap{port.id[:11]}"
        links.append(
            {"id": link, "vif_id": port.id, "type": "phy", "ethernet_mac_address": port.mac}
        )
        default = [{"network": _ANY, "netmask": _ANY, "gateway": port.gateway}]
        networks.append(
            {
                "id": f"network{index}",
                "type": "ipv4",
                "link": link,
                "network_id": port.network_id,
                "ip_address": port.address,
                "netmask": str(ipaddress.IPv4Network(f"0.0.0.0/{port.prefix}").netmask),
                "routes": default if index == 0 and port.gateway else [],
            }
        )
    services = [{"type": "dns", "address": address} for address in dns_servers(spec)]
    return {"links": links, "networks": networks, "services": services}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
