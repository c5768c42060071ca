"""The ecosystem's clients, unchanged: openstacksdk and the `openstack` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openstack import exceptions
from openstack.connection import Connection
from tests.cloud.steps import encoded
from tests.support.clouds import Cloud, Project, unique


@pytest.fixture
def sdk(project: Project) -> Connection:
    entry = project.member.credential.clouds_yaml_entry()
    with Connection(**entry) as connection:
        yield connection


def test_the_sdk_makes_a_server_on_a_reserved_port(cloud: Cloud, sdk: Connection) -> None:
    network = sdk.network.create_network(name=unique("net"))
    sdk.network.create_subnet(network_id=network.id, ip_version=4, use_default_subnetpool=True)
    port = sdk.network.create_port(network_id=network.id)
    sdk.network.set_tags(port, ["owner"])
    server = sdk.compute.create_server(
        name=unique("server"),
        flavor_id=sdk.compute.find_flavor(cloud.flavors[0]).id,
        image_id=sdk.image.find_image(cloud.image).id,
        networks=[{"port": port.id}],
        availability_zone=cloud.zones[1],
        user_data=encoded("#cloud-config\n"),
    )
    server = sdk.compute.wait_for_server(server, interval=0.2, wait=60)
    assert server.compute_host is None
    assert server.availability_zone == cloud.zones[1]
    found = sdk.network.get_port(port.id)
    assert found.device_id == server.id
    assert found.tags == ["owner"]
    sdk.compute.delete_server(server)
    sdk.compute.wait_for_delete(server, interval=0.2, wait=60)
    assert sdk.network.get_port(port.id).device_id == ""


def test_the_sdk_programs_routes(sdk: Connection) -> None:
    network = sdk.network.create_network(name=unique("net"))
    subnet = sdk.network.create_subnet(network_id=network.id, ip_version=4, cidr="192.0.2.0/24")
    router = sdk.network.create_router(name=unique("router"))
    sdk.network.add_interface_to_router(router, subnet_id=subnet.id)
    body = {"router": {"routes": [{"destination": "10.244.0.0/24", "nexthop": "192.0.2.9"}]}}
    after = sdk.network.add_extra_routes_to_router(router, body=body)
    assert after.routes == body["router"]["routes"]
    assert sdk.network.remove_extra_routes_from_router(router, body=body).routes == []


def test_the_sdk_names_what_is_wrong(sdk: Connection) -> None:
    with pytest.raises(exceptions.NotFoundException):
        sdk.compute.get_server("00000000-0000-4000-8000-000000000000")
    network = sdk.network.create_network(name=unique("net"))
    with pytest.raises(exceptions.BadRequestException, match="is not in a CIDR format"):
        sdk.network.create_subnet(network_id=network.id, ip_version=4, cidr="nonsense")


def test_the_sdk_lists_zones_quotas_and_groups(cloud: Cloud, sdk: Connection) -> None:
    zones = {zone.name for zone in sdk.compute.availability_zones()}
    assert zones == set(cloud.zones)
    group = sdk.compute.create_server_group(name=unique("group"), policy="anti-affinity")
    assert [found.id for found in sdk.compute.server_groups()] == [group.id]
    assert sdk.compute.get_limits().absolute.instances_used == 0


def command(project: Project, *arguments: str) -> Any:
    """Run `openstack … -f json`; what it printed."""
    program = Path(sys.executable).parent / "openstack"
    done = subprocess.run(
        [program, *arguments, "-f", "json"],
        env={"PATH": os.environ["PATH"], **project.member.credential.environment()},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_command_makes_and_lists_a_server(cloud: Cloud, project: Project) -> None:
    network = unique("net")
    command(project, "network", "create", network)
    command(
        project, "subnet", "create", "--network", network, "--use-default-subnet-pool",
        "--ip-version", "4", unique("subnet"),
    )  # fmt: skip
    name = unique("server")
    made = command(
        project, "server", "create", "--flavor", cloud.flavors[0], "--image", cloud.image,
        "--network", network, "--availability-zone", cloud.zones[0], "--wait", name,
    )  # fmt: skip
    assert made["status"] == "ACTIVE"
    (listed,) = command(project, "server", "list", "--long")
    assert listed["Name"] == name
    assert listed["Status"] == "ACTIVE"
    assert listed["Flavor"] == cloud.flavors[0]
    assert listed["Availability Zone"] == cloud.zones[0]
    shown = command(project, "server", "show", name)
    assert list(shown["addresses"]) == [network]
    ports = command(project, "port", "list", "--server", made["id"])
    assert [port["Status"] for port in ports] == ["ACTIVE"]


def test_the_command_lists_what_the_region_offers(cloud: Cloud, project: Project) -> None:
    flavors = command(project, "flavor", "list")
    assert {flavor["Name"] for flavor in flavors} == set(cloud.flavors)
    images = command(project, "image", "list")
    assert [image["Name"] for image in images] == [cloud.image]
    catalog = command(project, "catalog", "list")
    assert {"identity", "compute", "network", "image"} <= {service["Type"] for service in catalog}
