"""Networks, subnets, the subnet pool, security groups, tags and what is refused."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from tests.cloud.steps import Steps
from tests.support.clouds import Json, Project, error, ok, unique

NOWHERE = "00000000-0000-4000-8000-000000000000"


def test_a_subnet_says_what_it_got(steps: Steps) -> None:
    network, subnet = steps.network("192.0.2.0/24")
    assert subnet["gateway_ip"] == "192.0.2.1"
    assert subnet["allocation_pools"] == [{"start": "192.0.2.2", "end": "192.0.2.254"}]
    assert subnet["enable_dhcp"] is True
    assert subnet["subnetpool_id"] is None
    shown = ok(steps.api.network.get(f"/v2.0/networks/{network['id']}"))["network"]
    assert shown["subnets"] == [subnet["id"]]
    assert shown["status"] == "ACTIVE"


def test_the_default_pool_gives_subnets_that_do_not_overlap(steps: Steps) -> None:
    cidrs = [IPv4Network(steps.network(None)[1]["cidr"]) for _ in range(3)]
    assert all(cidr.prefixlen == 24 for cidr in cidrs)
    assert all(cidr.subnet_of(IPv4Network("10.60.0.0/16")) for cidr in cidrs)
    assert len(set(cidrs)) == 3


def test_the_default_pool_is_shared(steps: Steps) -> None:
    pools = ok(steps.api.network.get("/v2.0/subnetpools?is_default=true"))["subnetpools"]
    (pool,) = pools
    assert pool["shared"] is True
    assert pool["default_prefixlen"] == "24"


def test_a_pool_refuses_what_it_cannot_give(steps: Steps) -> None:
    network, _ = steps.network()
    body = {
        "network_id": network["id"], "ip_version": 4, "use_default_subnetpool": True,
        "prefixlen": 8,
    }  # fmt: skip
    refused = error(steps.api.network.post("/v2.0/subnets", {"subnet": body}), 400)
    assert refused["type"] == "MinPrefixSubnetAllocationError"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"cidr": "192.0.2.0/25"}, 400, "InvalidInput"),
        ({"cidr": "nonsense"}, 400, "InvalidInput"),
        ({"cidr": "198.51.100.0/24", "gateway_ip": "x"}, 400, "HTTPBadRequest"),
        ({"cidr": "198.51.100.0/24", "network_id": NOWHERE}, 404, "NetworkNotFound"),
        ({"cidr": "198.51.100.0/24", "colour": "red"}, 400, "HTTPBadRequest"),
        ({}, 400, "BadRequest"),
    ],
)
def test_subnets_that_cannot_be(steps: Steps, body: Json, status: int, kind: str) -> None:
    network, _ = steps.network("192.0.2.0/24")
    whole = {"network_id": network["id"], "ip_version": 4, **body}
    refused = error(steps.api.network.post("/v2.0/subnets", {"subnet": whole}), status)
    assert refused["type"] == kind
    assert refused["detail"] == ""


def test_a_network_with_ports_stays(steps: Steps) -> None:
    network, subnet = steps.network()
    port = steps.port(network["id"])
    api = steps.api.network
    refused = error(api.delete(f"/v2.0/networks/{network['id']}"), 409)
    assert refused == {
        "type": "NetworkInUse",
        "message": f"Unable to complete operation on network {network['id']}. There are one or "
        f"more ports still in use on the network, id for these ports is: {port['id']}.",
        "detail": "",
    }
    refused = error(api.delete(f"/v2.0/subnets/{subnet['id']}"), 409)
    assert refused == {
        "type": "SubnetInUse",
        "message": f"Unable to complete operation on subnet {subnet['id']}: One or more ports "
        "have an IP allocation from this subnet.",
        "detail": "",
    }
    ok(api.delete(f"/v2.0/ports/{port['id']}"), 204)
    ok(api.delete(f"/v2.0/networks/{network['id']}"), 204)
    gone = error(api.get(f"/v2.0/subnets/{subnet['id']}"), 404)
    assert gone["type"] == "SubnetNotFound"


@pytest.mark.parametrize(
    ("collection", "kind", "noun"),
    [
        ("networks", "NetworkNotFound", "Network"),
        ("subnets", "SubnetNotFound", "Subnet"),
        ("ports", "PortNotFound", "Port"),
        ("security-groups", "SecurityGroupNotFound", "Security group"),
    ],
)
def test_unknown_and_foreign_ids_look_the_same(
    steps: Steps, other: Project, collection: str, kind: str, noun: str
) -> None:
    network, subnet = steps.network()
    group = ok(
        steps.api.network.post("/v2.0/security-groups", {"security_group": {"name": "g"}}), 201
    )
    ids = {
        "networks": network["id"],
        "subnets": subnet["id"],
        "ports": steps.port(network["id"])["id"],
        "security-groups": group["security_group"]["id"],
    }
    for unknown in (ids[collection], NOWHERE):
        for method in ("GET", "DELETE"):
            path = f"/v2.0/{collection}/{unknown}"
            refused = error(other.member.network.call(method, path), 404)
            assert refused["type"] == kind
            assert unknown in refused["message"]
            assert refused["message"].startswith(noun)


def test_a_port_on_a_foreign_network_is_not_found(steps: Steps, other: Project) -> None:
    network, _ = steps.network()
    body = {"port": {"network_id": network["id"]}}
    refused = error(other.member.network.post("/v2.0/ports", body), 404)
    assert refused["type"] == "NetworkNotFound"


def test_readers_change_nothing(steps: Steps, project: Project) -> None:
    network, _ = steps.network()
    reader = project.reader.network
    assert ok(reader.get(f"/v2.0/networks/{network['id']}"))["network"]["id"] == network["id"]
    refused = error(reader.post("/v2.0/networks", {"network": {}}), 403)
    assert refused == {
        "type": "PolicyNotAuthorized",
        "message": "rule:create_network is disallowed by policy",
        "detail": "",
    }
    refused = error(reader.delete(f"/v2.0/networks/{network['id']}"), 403)
    assert refused["message"] == "rule:delete_network is disallowed by policy"


def test_members_share_nothing_with_everybody(steps: Steps) -> None:
    body = {"network": {"name": "n", "shared": True}}
    refused = error(steps.api.network.post("/v2.0/networks", body), 403)
    assert refused["type"] == "PolicyNotAuthorized"
    assert "rule:create_network:shared" in refused["message"]


def test_lists_filter_by_name_tags_and_fields(steps: Steps) -> None:
    network, _ = steps.network()
    api = steps.api.network
    path = f"/v2.0/networks/{network['id']}/tags"
    assert ok(api.put(path, {"tags": ["a", "b"]})) == {"tags": ["a", "b"]}

    def ids(query: str) -> list[str]:
        return [found["id"] for found in ok(api.get(f"/v2.0/networks?{query}"))["networks"]]

    assert ids(f"name={network['name']}") == [network["id"]]
    assert ids("name=nobody") == []
    assert ids("tags=a,b") == [network["id"]]
    assert ids("tags=a,c") == []
    assert ids("tags-any=a,c") == [network["id"]]
    assert ids("not-tags=a&shared=false") == []
    fields = ok(api.get(f"/v2.0/networks?name={network['name']}&fields=id&fields=name"))
    assert fields["networks"] == [{"id": network["id"], "name": network["name"]}]


def test_tags_are_added_checked_and_removed(steps: Steps) -> None:
    network, _ = steps.network()
    port = steps.port(network["id"])
    path, api = f"/v2.0/ports/{port['id']}/tags", steps.api.network
    assert api.put(f"{path}/owner").status_code == 201
    assert api.put(f"{path}/owner").status_code == 201
    assert ok(api.get(path)) == {"tags": ["owner"]}
    assert api.get(f"{path}/owner").status_code == 204
    assert api.get(f"{path}/none").status_code == 404
    assert api.delete(f"{path}/owner").status_code == 204
    assert error(api.delete(f"{path}/owner"), 404)["type"] == "TagNotFound"
    assert steps.get_port(port["id"])["tags"] == []


def test_ports_are_listed_in_pages(steps: Steps) -> None:
    network, _ = steps.network()
    made = {steps.port(network["id"])["id"] for _ in range(3)}
    api, seen = steps.api.network, []
    query = f"network_id={network['id']}&limit=2"
    while query:
        page = ok(api.get(f"/v2.0/ports?{query}"))
        seen += [port["id"] for port in page["ports"]]
        links = {link["rel"]: link["href"] for link in page.get("ports_links", [])}
        query = links.get("next", "").partition("?")[2]
    assert sorted(seen) == sorted(made)


def test_a_project_has_a_default_security_group(steps: Steps) -> None:
    groups = ok(steps.api.network.get("/v2.0/security-groups"))["security_groups"]
    (default,) = [group for group in groups if group["name"] == "default"]
    rules = default["security_group_rules"]
    assert sorted((rule["direction"], rule["ethertype"]) for rule in rules) == [
        ("egress", "IPv4"), ("egress", "IPv6"), ("ingress", "IPv4"), ("ingress", "IPv6"),
    ]  # fmt: skip
    network, _ = steps.network()
    assert steps.port(network["id"])["security_groups"] == [default["id"]]


def test_a_second_default_group_is_refused(steps: Steps) -> None:
    body = {"security_group": {"name": "default"}}
    refused = error(steps.api.network.post("/v2.0/security-groups", body), 409)
    assert refused["type"] == "SecurityGroupDefaultAlreadyExists"


def test_security_rules_are_made_once(steps: Steps) -> None:
    api = steps.api.network
    body = {"security_group": {"name": unique("nodes")}}
    group = ok(api.post("/v2.0/security-groups", body), 201)["security_group"]
    assert {rule["direction"] for rule in group["security_group_rules"]} == {"egress"}
    rule = {
        "security_group_id": group["id"], "direction": "ingress", "protocol": "tcp",
        "ethertype": "IPv4", "port_range_min": 6443, "port_range_max": 6443,
        "remote_ip_prefix": "192.0.2.0/24",
    }  # fmt: skip
    made = ok(api.post("/v2.0/security-group-rules", {"security_group_rule": rule}), 201)
    assert rule.items() <= made["security_group_rule"].items()
    again = error(api.post("/v2.0/security-group-rules", {"security_group_rule": rule}), 409)
    assert again["type"] == "SecurityGroupRuleExists"
    ok(api.delete(f"/v2.0/security-group-rules/{made['security_group_rule']['id']}"), 204)
    ok(api.delete(f"/v2.0/security-groups/{group['id']}"), 204)


def test_a_security_group_in_use_stays(steps: Steps) -> None:
    api = steps.api.network
    body = {"security_group": {"name": unique("nodes")}}
    group = ok(api.post("/v2.0/security-groups", body), 201)["security_group"]
    network, _ = steps.network()
    steps.port(network["id"], security_groups=[group["id"]])
    refused = error(api.delete(f"/v2.0/security-groups/{group['id']}"), 409)
    assert refused["type"] == "SecurityGroupInUse"
    assert refused["message"] == f"Security Group {group['id']} in use."


def test_unknown_attributes_and_paths_are_named(steps: Steps) -> None:
    api = steps.api.network
    refused = error(api.post("/v2.0/networks", {"network": {"colour": "red"}}), 400)
    assert refused["message"] == "Unrecognized attribute(s) 'colour'"
    assert error(api.get("/v2.0/nonsense"), 404)["type"] == "HTTPNotFound"
