"""The fields of each resource: no client finds one missing here that the real cloud has."""

from __future__ import annotations

import pytest
from tests.cloud.steps import Steps
from tests.support.clouds import Json, ok, unique

#: Neutron's fields that come with an extension which either side may lack.
OF_EXTENSIONS = {
    "flavor_id", "ip_allocation", "is_default", "ipv4_address_scope", "ipv6_address_scope",
    "l2_adjacency", "qinq", "segment_id", "segments", "vlan_transparent", "router:external",
    "service_types", "dns_publish_fixed_ip", "standard_attr_id", "belongs_to_default_sg",
    "stateful", "remote_address_group_id", "enable_default_route_bfd",
    "enable_default_route_ecmp",
}  # fmt: skip

STANDARD = {
    "id", "name", "project_id", "tenant_id", "description", "tags", "created_at", "updated_at",
    "revision_number",
}  # fmt: skip

SERVER = {
    "OS-DCF:diskConfig", "OS-EXT-AZ:availability_zone", "OS-EXT-STS:power_state",
    "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state", "OS-SRV-USG:launched_at",
    "OS-SRV-USG:terminated_at", "accessIPv4", "accessIPv6", "addresses", "config_drive",
    "created", "flavor", "hostId", "id", "image", "key_name", "links", "metadata", "name",
    "os-extended-volumes:volumes_attached", "progress", "status", "tenant_id", "updated",
    "user_id",
}  # fmt: skip
#: Microversion -> what a member sees more than before.
SERVER_SINCE = {
    "2.9": {"locked"},
    "2.19": {"description"},
    "2.26": {"tags"},
    "2.63": {"trusted_image_certificates"},
    "2.71": {"server_groups"},
    "2.73": {"locked_reason"},
    "2.90": {"OS-EXT-SRV-ATTR:hostname"},
    "2.96": {"pinned_availability_zone"},
}


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def expected_server(version: str) -> set[str]:
    more = [names for since, names in SERVER_SINCE.items() if number(since) <= number(version)]
    groups = {"security_groups"}
    return SERVER.union(groups, *more)


@pytest.mark.parametrize("version", ["2.1", "2.8", "2.19", "2.63", "2.71", "2.79", "2.90", "2.96"])
def test_a_server_grows_with_the_microversion(steps: Steps, version: str) -> None:
    network, _ = steps.network()
    server = steps.server([{"uuid": network["id"]}])
    compute = steps.api.compute.at(version)
    shown = ok(compute.get(f"/servers/{server['id']}"))["server"]
    assert set(shown) == expected_server(version)
    (listed,) = ok(compute.get("/servers/detail"))["servers"]
    assert set(listed) == expected_server(version) - {"server_groups"}  # too dear for a list


def core(shown: Json) -> set[str]:
    return set(shown) - OF_EXTENSIONS


def test_network_resources_have_neutrons_fields(steps: Steps) -> None:
    api = steps.api.network
    network, subnet = steps.network()
    assert core(network) == STANDARD | {
        "admin_state_up", "availability_zone_hints", "availability_zones", "mtu",
        "port_security_enabled", "shared", "status", "subnets",
    }  # fmt: skip
    assert core(subnet) == STANDARD | {
        "allocation_pools", "cidr", "dns_nameservers", "enable_dhcp", "gateway_ip", "host_routes",
        "ip_version", "ipv6_address_mode", "ipv6_ra_mode", "network_id", "subnetpool_id",
    }  # fmt: skip
    assert core(steps.port(network["id"])) == STANDARD | {
        "admin_state_up", "allowed_address_pairs", "binding:vnic_type", "device_id",
        "device_owner", "extra_dhcp_opts", "fixed_ips", "mac_address", "network_id",
        "port_security_enabled", "security_groups", "status",
    }  # fmt: skip
    body = {"router": {"name": unique("router")}}
    router = ok(api.post("/v2.0/routers", body), 201)["router"]
    assert core(router) == STANDARD | {
        "admin_state_up", "availability_zone_hints", "availability_zones",
        "external_gateway_info", "routes", "status",
    }  # fmt: skip
    path = f"/v2.0/routers/{router['id']}/add_router_interface"
    interface = ok(api.put(path, {"subnet_id": subnet["id"]}))
    fields = {"id", "network_id", "port_id", "subnet_id", "subnet_ids", "project_id"}
    assert fields <= set(interface)


def test_what_admins_see_more_of_a_port(steps: Steps) -> None:
    network, _ = steps.network()
    port = steps.port(network["id"])
    admin = ok(steps.cloud.admin.network.get(f"/v2.0/ports/{port['id']}"))["port"]
    assert core(admin) - core(port) == {
        "binding:host_id", "binding:profile", "binding:vif_details", "binding:vif_type",
    }  # fmt: skip
