"""Reserved ports and servers: the addresses that outlive machines."""

from __future__ import annotations

import pytest
from tests.cloud.steps import Steps
from tests.support.clouds import Json, Project, error, eventually, ok

NOWHERE = "00000000-0000-4000-8000-000000000000"


def freed(steps: Steps, port_id: str) -> Json:
    return eventually(lambda: steps.get_port(port_id), lambda port: port["device_id"] == "")


def test_a_server_takes_the_given_port(steps: Steps) -> None:
    network, subnet = steps.network()
    port = steps.port(network["id"], fixed_ips=[{"ip_address": "192.0.2.50"}])
    assert (port["status"], port["device_id"], port["device_owner"]) == ("DOWN", "", "")
    server = steps.server([{"port": port["id"]}], availability_zone="tokyo-2")
    bound = steps.get_port(port["id"])
    assert bound["status"] == "ACTIVE"
    assert bound["device_id"] == server["id"]
    assert bound["device_owner"] == "compute:tokyo-2"
    assert bound["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "192.0.2.50"}]
    assert server["addresses"] == {
        network["name"]: [
            {
                "version": 4,
                "addr": "192.0.2.50",
                "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": port["mac_address"],
            }
        ]
    }


def test_a_port_outlives_its_server_and_serves_the_next_one(steps: Steps) -> None:
    network, _ = steps.network()
    port = steps.port(network["id"])
    first = steps.server([{"port": port["id"]}], availability_zone="tokyo-1")
    steps.delete_server(first["id"])
    kept = freed(steps, port["id"])
    assert kept["status"] == "DOWN"
    assert kept["device_owner"] == ""
    assert kept["mac_address"] == port["mac_address"]
    assert kept["fixed_ips"] == port["fixed_ips"]
    second = steps.server([{"port": port["id"]}], availability_zone="tokyo-3")
    again = steps.get_port(port["id"])
    assert again["device_id"] == second["id"]
    assert again["device_owner"] == "compute:tokyo-3"
    assert again["fixed_ips"] == port["fixed_ips"]


def test_a_port_that_nova_made_dies_with_its_server(steps: Steps) -> None:
    network, _ = steps.network()
    server = steps.server([{"uuid": network["id"]}])
    path = f"/v2.0/ports?device_id={server['id']}"
    (port,) = ok(steps.api.network.get(path))["ports"]
    steps.delete_server(server["id"])
    eventually(
        lambda: steps.api.network.get(f"/v2.0/ports/{port['id']}").status_code,
        lambda status: status == 404,
    )


def test_a_port_in_use_is_refused(steps: Steps) -> None:
    network, _ = steps.network()
    port = steps.port(network["id"])
    steps.server([{"port": port["id"]}])
    refused = error(steps.ask_server([{"port": port["id"]}]), 409)
    assert refused == {"code": 409, "message": f"Port {port['id']} is still in use."}


def test_an_unknown_port_and_a_foreign_one_look_the_same(steps: Steps, other: Project) -> None:
    theirs = Steps(steps.cloud, other.member)
    network, _ = theirs.network()
    foreign = theirs.port(network["id"])["id"]
    for port_id in (foreign, NOWHERE):
        refused = error(steps.ask_server([{"port": port_id}]), 400)
        assert refused["message"] == f"Port id {port_id} could not be found."


def test_interfaces_come_and_go_while_the_server_runs(steps: Steps) -> None:
    network, _ = steps.network()
    server = steps.server([{"uuid": network["id"]}])
    port = steps.port(network["id"])
    path = f"/servers/{server['id']}/os-interface"
    body = {"interfaceAttachment": {"port_id": port["id"]}}
    attached = ok(steps.api.compute.post(path, body))["interfaceAttachment"]
    assert attached["port_id"] == port["id"]
    assert attached["mac_addr"] == port["mac_address"]
    assert attached["fixed_ips"] == port["fixed_ips"]
    refused = error(steps.api.compute.post(path, body), 409)
    assert refused["message"] == f"Port {port['id']} is still in use."
    listed = ok(steps.api.compute.get(path))["interfaceAttachments"]
    assert port["id"] in {interface["port_id"] for interface in listed}
    assert steps.api.compute.delete(f"{path}/{port['id']}").status_code == 202
    assert freed(steps, port["id"])["fixed_ips"] == port["fixed_ips"]


@pytest.mark.parametrize(
    ("address", "status", "kind"),
    [
        ("192.0.2.50", 409, "IpAddressAlreadyAllocated"),
        ("198.51.100.1", 400, "InvalidIpForNetwork"),
    ],
)
def test_addresses_that_cannot_be_had(steps: Steps, address: str, status: int, kind: str) -> None:
    network, subnet = steps.network()
    steps.port(network["id"], fixed_ips=[{"ip_address": "192.0.2.50"}])
    body = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": address}]}}
    refused = error(steps.api.network.post("/v2.0/ports", body), status)
    messages = {
        409: f"IP address 192.0.2.50 already allocated in subnet {subnet['id']}",
        400: f"IP address {address} is not a valid IP for any of the subnets on the "
        "specified network.",
    }
    assert refused == {"type": kind, "message": messages[status], "detail": ""}


def test_allowed_address_pairs_are_kept(steps: Steps) -> None:
    network, _ = steps.network()
    port = steps.port(network["id"], allowed_address_pairs=[{"ip_address": "10.244.0.0/24"}])
    assert port["allowed_address_pairs"] == [
        {"ip_address": "10.244.0.0/24", "mac_address": port["mac_address"]}
    ]
    body: Json = {"port": {"allowed_address_pairs": []}}
    changed = ok(steps.api.network.put(f"/v2.0/ports/{port['id']}", body))["port"]
    assert changed["allowed_address_pairs"] == []


def test_only_an_admin_deletes_a_port_that_a_server_has(steps: Steps) -> None:
    """And the server then runs on without it."""
    network, _ = steps.network()
    port = steps.port(network["id"])
    server = steps.server([{"port": port["id"]}])
    path = f"/v2.0/ports/{port['id']}"
    refused = error(steps.api.network.delete(path), 403)
    assert refused["message"] == "rule:delete_port is disallowed by policy"
    ok(steps.cloud.admin.network.delete(path), 204)
    eventually(
        lambda: ok(steps.api.compute.get(f"/servers/{server['id']}/os-interface")),
        lambda seen: seen == {"interfaceAttachments": []},
    )
    assert steps.show(server["id"])["status"] == "ACTIVE"


def test_members_do_not_see_the_binding(steps: Steps) -> None:
    network, _ = steps.network()
    port = steps.port(network["id"])
    steps.server([{"port": port["id"]}], availability_zone="tokyo-1")
    assert "binding:host_id" not in steps.get_port(port["id"])
    admin = steps.cloud.admin.network
    seen = ok(admin.get(f"/v2.0/ports/{port['id']}"))["port"]
    assert seen["binding:host_id"] == "tokyo-1-hv1"
