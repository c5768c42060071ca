"""Every invalid request is refused with a problem document, and nothing is made."""

from __future__ import annotations

import random
import re
import string
from typing import Any

import pytest
from tests.apiserver.service.conftest import Vks
from tests.support.service import cluster_request, until

from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation
from vks.verda.compute import Limits
from vks.verda.network import Usage


def pool(**more: Any) -> dict[str, Any]:
    return {"nodePools": [{"name": "default", "replicas": 1, "flavor": "small", **more}]}


def plane(**more: Any) -> dict[str, Any]:
    return {"controlPlane": {"replicas": 3, "flavor": "small", **more}}


#: 60 kB that no packing makes smaller than Nova's limit.
NOISE = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=60_000))
TAINT = {"key": "dedicated", "effect": "NoSchedule"}
RESERVED_TAINT = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
BAD = [
    ({"version": "v1.99.0"}, 422, "invalid", "version"),
    ({"version": ""}, 422, "invalid", "version"),
    ({"region": "osaka"}, 422, "invalid", "region"),
    (plane(flavor="huge"), 422, "invalid", "controlPlane.flavor"),
    (plane(zones=["osaka-1"]), 422, "invalid", "controlPlane.zones.0"),
    (plane(zones=["tokyo-1", "tokyo-1"]), 422, "invalid", "controlPlane.zones.1"),
    (plane(image="nope"), 404, "reference_not_found", "controlPlane.image"),
    (plane(replicas=2), 422, "invalid", "controlPlane.replicas"),
    (plane(replicas=9), 422, "invalid", "controlPlane.replicas"),
    (plane(replicas=0), 422, "invalid", "controlPlane.replicas"),
    ({"network": {"networkId": "foreign"}}, 404, "reference_not_found", "network.networkId"),
    ({"network": {"podCidr": "10.96.0.0/16"}}, 422, "invalid", "network.serviceCidr"),
    ({"network": {"podCidr": "10.1.0.0/24"}}, 422, "invalid", "network.podCidr"),
    ({"network": {"podCidr": "10.1.0.1/16"}}, 422, "invalid", "network.podCidr"),
    ({"network": {"cni": "magic"}}, 422, "invalid", "network.cni"),
    ({"keyName": "foreign"}, 404, "reference_not_found", "keyName"),
    ({"keyName": "windows"}, 422, "invalid", "keyName"),
    ({"name": "Upper"}, 422, "invalid", "name"),
    ({"name": "1st"}, 422, "invalid", "name"),
    ({"name": "dash-"}, 422, "invalid", "name"),
    ({"name": "n" * 33}, 422, "invalid", "name"),
    ({"provisioner": "legacy"}, 422, "invalid", "provisioner"),
    ({"unknown": 1}, 422, "invalid", "unknown"),
    (pool(zones=["osaka-1"]), 422, "invalid", "nodePools.0.zones.0"),
    (pool(flavor="huge"), 422, "invalid", "nodePools.0.flavor"),
    (pool(image="foreign"), 404, "reference_not_found", "nodePools.0.image"),
    (pool(replicas=201), 422, "invalid", "nodePools.0.replicas"),
    (pool(replicas=-1), 422, "invalid", "nodePools.0.replicas"),
    (pool(name="p.q"), 422, "invalid", "nodePools.0.name"),
    (pool(labels={"tier": "a b"}), 422, "invalid", "nodePools.0.labels.tier"),
    (pool(taints=[{"key": "k", "effect": "Never"}]), 422, "invalid", "nodePools.0.taints.0.effect"),
    (
        pool(taints=[{"key": "k", "effect": "NoExecute"}] * 2),
        422,
        "invalid",
        "nodePools.0.taints.1",
    ),
    (pool(labels={"vks.verda/x": "y"}), 422, "invalid", "nodePools.0.labels.vks.verda/x"),
    (pool(keyName="foreign"), 404, "reference_not_found", "nodePools.0.keyName"),
    (pool(replicas=None), 422, "invalid", "nodePools.0.replicas"),
    (pool(autoscaling={"min": 3, "max": 2}), 422, "invalid", "nodePools.0.autoscaling.min"),
    (pool(autoscaling={"min": 0, "max": 999}), 422, "invalid", "nodePools.0.autoscaling.max"),
    (pool(autoscaling={"min": 1}), 422, "invalid", "nodePools.0.autoscaling.max"),
    (pool(maxSurge=0), 422, "invalid", "nodePools.0.maxSurge"),
    (pool(drainTimeoutSeconds=0), 422, "invalid", "nodePools.0.drainTimeoutSeconds"),
    (pool(userScript={}), 422, "invalid", "nodePools.0.userScript"),
    (pool(userScript={"pre": "a\0b"}), 422, "invalid", "nodePools.0.userScript.pre"),
    (pool(userScript={"pre": NOISE}), 422, "invalid", "nodePools.0.userScript.pre"),
    (pool(userScript={"post": NOISE}), 422, "invalid", "nodePools.0.userScript.post"),
    (pool(userScript={"pre": "x" * 140_000}), 422, "invalid", "nodePools.0.userScript.pre"),
    (
        pool(userScript={"pre": "x", "timeoutSeconds": 0}),
        422,
        "invalid",
        "nodePools.0.userScript.timeoutSeconds",
    ),
    (
        pool(userScript={"pre": "x", "onFailure": "Reboot"}),
        422,
        "invalid",
        "nodePools.0.userScript.onFailure",
    ),
    (pool(rootVolume={"sizeGiB": 0}), 422, "invalid", "nodePools.0.rootVolume.sizeGiB"),
    (pool(rootVolume={"sizeGiB": 3}), 422, "invalid", "nodePools.0.rootVolume.sizeGiB"),
    (pool(taints=[RESERVED_TAINT]), 422, "invalid", "nodePools.0.taints.0.key"),
    *(
        (pool(labels={key: ""}), 422, "invalid", f"nodePools.0.labels.{key}")
        for key in (
            "topology.kubernetes.io/zone",
            "node-role.kubernetes.io/control-plane",
            "cluster.x-k8s.io/cluster-name",
        )
    ),
    ({"network": {"podCidr": "10.60.0.0/16"}}, 422, "invalid", "network.podCidr"),
    ({"network": {"serviceCidr": "10.60.3.0/24"}}, 422, "invalid", "network.serviceCidr"),
    (
        {"network": {"networkId": "n1", "podCidr": "10.60.0.0/20"}},
        422,
        "invalid",
        "network.podCidr",
    ),
]


@pytest.mark.parametrize(("change", "status", "code", "field"), BAD, ids=lambda v: str(v)[:40])
async def test_an_invalid_cluster_is_refused_and_the_field_is_named(
    vks: Vks, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = await vks.call("POST", "/clusters", cluster_request() | change)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in [error["field"] for error in problem["errors"]]
    for model in (ManagedCluster, NodePool, Operation):
        assert (await vks.client.list(model, vks.namespace)).items == []


async def test_a_script_that_is_too_large_is_told_how_many_bytes_are_left(vks: Vks) -> None:
    answer = await vks.call(
        "POST", "/clusters", cluster_request(**pool(userScript={"pre": NOISE, "post": "echo\n"}))
    )
    (error,) = answer.json()["errors"]
    needed, left = (
        int(n) for n in re.findall(r"(\d+) bytes (?:packed|are left)", error["message"])
    )
    assert needed > left > 30_000
    assert "65535 bytes" in error["message"]


async def test_two_pools_of_one_name_are_refused(vks: Vks) -> None:
    one = {"name": "a", "replicas": 1, "flavor": "small"}
    answer = await vks.call("POST", "/clusters", cluster_request(nodePools=[one, one]))
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {"nodePools.0.name", "nodePools.1.name"}


async def test_a_quota_that_is_too_small_says_what_is_missing(vks: Vks) -> None:
    vks.identity.cloud.quota = Limits(
        max_instances=10, instances=5, max_cores=-1, max_ram=12288, ram=4096
    )
    answer = await vks.call("POST", "/clusters", cluster_request())
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "quota_exceeded")
    assert {error["field"]: error["message"] for error in problem["errors"]} == {
        "quota.instances": "6 instances wanted, 5 free of 10: 1 missing",
        "quota.ram": "12288 MiB ram wanted, 8192 MiB free of 12288 MiB: 4096 MiB missing",
    }


async def test_quotas_of_the_network_count_what_a_cluster_takes(vks: Vks) -> None:
    vks.identity.cloud.network = {
        "network": Usage(limit=3, used=3),
        "port": Usage(limit=10, used=4),
        "router": Usage(limit=-1, used=8),
        "security_group": Usage(limit=1, used=0),
    }
    vks.identity.cloud.quota = Limits(max_server_groups=1)
    answer = await vks.call("POST", "/clusters", cluster_request())
    assert {error["field"]: error["message"] for error in answer.json()["errors"]} == {
        "quota.networks": "1 networks wanted, 0 free of 3: 1 missing",
        "quota.ports": "7 ports wanted, 6 free of 10: 1 missing",
        "quota.serverGroups": "2 serverGroups wanted, 1 free of 1: 1 missing",
    }


async def test_a_cluster_on_a_network_that_exists_takes_none(vks: Vks) -> None:
    vks.identity.cloud.network = {"network": Usage(limit=0), "router": Usage(limit=0)}
    request = cluster_request(network={"networkId": "n1"})
    assert (await vks.call("POST", "/clusters", request)).status_code == 202


async def test_a_role_may_be_given_to_nodes(vks: Vks) -> None:
    request = cluster_request() | pool(labels={"node-role.kubernetes.io/gpu": "", "tier": "web"})
    assert (await vks.call("POST", "/clusters", request)).status_code == 202


async def test_a_pool_too_many_is_refused(vks: Vks) -> None:
    pools = [{"name": f"p{n}", "replicas": 0, "flavor": "small"} for n in range(20)]
    assert (
        await vks.call("POST", "/clusters", cluster_request(nodePools=pools))
    ).status_code == 202

    async def made() -> bool:
        return len((await vks.client.list(NodePool, vks.namespace)).items) == 20

    await until(made)
    one_more = {"name": "more", "replicas": 0, "flavor": "small"}
    answer = await vks.call("POST", "/clusters/demo/node-pools", one_more)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "name", "message": "a cluster has at most 20 pools"}
    ]


async def test_growing_beyond_the_quota_names_the_field_and_what_is_missing(vks: Vks) -> None:
    assert (await vks.call("POST", "/clusters", cluster_request(nodePools=[]))).status_code == 202
    new = {"name": "p", "replicas": 1, "flavor": "small"}
    assert (await vks.call("POST", "/clusters/demo/node-pools", new)).status_code == 202
    vks.identity.cloud.quota = Limits(max_cores=10, cores=8)
    for path, body, field in (
        ("/clusters/demo/node-pools/p", {"replicas": 3}, "replicas"),
        ("/clusters/demo", {"controlPlane": {"replicas": 5}}, "controlPlane.replicas"),
    ):
        answer = await vks.call("PATCH", path, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "quota_exceeded")
        assert answer.json()["errors"] == [
            {"field": field, "message": "4 cores wanted, 2 free of 10: 2 missing"}
        ]
    # Less is always possible, however full the project is.
    assert (
        await vks.call("PATCH", "/clusters/demo/node-pools/p", {"replicas": 0})
    ).status_code == 202


async def test_a_quota_of_load_balancers_counts_too(vks: Vks) -> None:
    vks.identity.cloud.balancers = {"loadbalancers": 1, "used_loadbalancers": 1}
    answer = await vks.call("POST", "/clusters", cluster_request())
    assert answer.json()["errors"] == [
        {
            "field": "quota.loadBalancers",
            "message": "1 loadBalancers wanted, 0 free of 1: 1 missing",
        }
    ]


async def test_a_body_over_the_limit_is_refused(vks: Vks) -> None:
    answer = await vks.call("POST", "/clusters", {"name": "x" * 200_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_that_is_not_json_is_refused(vks: Vks) -> None:
    headers = {"x-auth-token": "member", "content-type": "application/json"}
    answer = await vks.api.post(f"{vks.base}/clusters", content=b"{", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("token", "method", "status"),
    [
        ("", "GET", 401),
        ("unknown", "GET", 401),
        ("nobody", "GET", 403),
        ("reader", "GET", 200),
        ("reader", "POST", 403),
        ("stranger", "GET", 404),
        ("stranger", "POST", 404),
    ],
)
async def test_a_token_is_good_for_its_project_and_its_roles(
    vks: Vks, token: str, method: str, status: int
) -> None:
    headers = {"x-auth-token": token} if token else {}
    answer = await vks.api.request(
        method,
        f"{vks.base}/clusters",
        headers=headers,
        json=cluster_request() if method == "POST" else None,
    )
    assert answer.status_code == status


async def test_a_bearer_token_works_like_the_header(vks: Vks) -> None:
    headers = {"authorization": "Bearer member"}
    assert (await vks.api.get(f"{vks.base}/clusters", headers=headers)).status_code == 200


async def test_a_project_is_found_by_id_too(vks: Vks) -> None:
    path = f"/v1/projects/id-of-{vks.project}/clusters"
    answer = await vks.api.get(path, headers={"x-auth-token": "member"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"replicas": -1}, "replicas"),
        ({"replicas": 201}, "replicas"),
        ({"zones": ["osaka-1"]}, "zones.0"),
        ({"zones": []}, "zones"),
        ({"labels": {"-bad": "x"}}, "labels.-bad.[key]"),
        ({"flavor": "huge"}, "flavor"),
        ({"name": "other"}, "name"),
        ({"userScript": {"timeoutSeconds": 5}}, "userScript"),
        ({"autoscaling": {"min": 2, "max": 1}}, "autoscaling.min"),
        ({"autoscaling": {"min": 0, "max": 3}, "replicas": 2}, "replicas"),
        ({"maxSurge": 0}, "maxSurge"),
        ({"rootVolume": {"sizeGiB": 3}}, "rootVolume.sizeGiB"),
        ({"labels": {"kubernetes.io/hostname": "x"}}, "labels.kubernetes.io/hostname"),
        ({"taints": [TAINT, TAINT]}, "taints.1"),
    ],
)
async def test_an_invalid_change_of_a_pool_is_refused(
    vks: Vks, body: dict[str, Any], field: str
) -> None:
    made = await vks.call("POST", "/clusters", cluster_request(nodePools=[]))
    assert made.status_code == 202
    new = {"name": "p", "replicas": 1, "flavor": "small"}
    assert (await vks.call("POST", "/clusters/demo/node-pools", new)).status_code == 202
    answer = await vks.call("PATCH", "/clusters/demo/node-pools/p", body)
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("limit=0", 422, "limit"),
        ("limit=501", 422, "limit"),
        ("limit=many", 422, "limit"),
        ("continue=nonsense", 400, None),
        ("continue=MDpub25zZW5zZQ%3D%3D", 400, None),  # well-formed, unknown to the API server
        ("continue=OTk6", 400, None),  # a region that there is not
    ],
)
async def test_a_page_that_there_is_not_is_refused(
    vks: Vks, query: str, status: int, field: str | None
) -> None:
    answer = await vks.call("GET", f"/clusters?{query}")
    assert answer.status_code == status, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == ([field] if field else [])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/node-pools/edge", "cluster 'demo' has no node pool 'edge'"),
        (
            "/static-ip-pools/default",
            "cluster 'demo' has no node pool 'default' with static addresses",
        ),
    ],
)
async def test_what_is_not_there_is_named(vks: Vks, path: str, said: str) -> None:
    assert (await vks.call("POST", "/clusters", cluster_request())).status_code == 202
    answer = await vks.call("GET", f"/clusters/demo{path}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == said


async def test_what_belongs_to_others_looks_like_what_does_not_exist(vks: Vks) -> None:
    assert (await vks.call("POST", "/clusters", cluster_request())).status_code == 202
    mine = (await vks.call("GET", "/operations")).json()["items"][0]["id"]
    foreign = {"x-auth-token": "stranger"}
    answers = {}
    for base in (vks.base, f"{vks.base}-other"):
        for path in (
            "/clusters/demo",
            "/clusters/demo/nodes",
            "/clusters/demo/events",
            "/clusters/demo/node-pools",
            "/clusters/demo/node-pools/default",
            f"/operations/{mine}",
        ):
            answer = await vks.api.get(base + path, headers=foreign)
            answers[base + path] = (answer.status_code, answer.json()["code"])
    assert set(answers.values()) == {(404, "not_found")}
    for method, path in (
        ("PATCH", "/clusters/demo"),
        ("DELETE", "/clusters/demo"),
        ("POST", "/clusters/demo/kubeconfig"),
        ("DELETE", "/clusters/demo/node-pools/default"),
    ):
        body = {"controlPlane": {"replicas": 1}} if method == "PATCH" else None
        answer = await vks.api.request(
            method, f"{vks.base}-other{path}", json=body, headers=foreign
        )
        assert answer.status_code == 404
    assert (await vks.call("GET", "/clusters/demo")).json()["deletedAt"] is None


async def test_a_kubeconfig_is_not_there_before_the_cluster_is(vks: Vks) -> None:
    await vks.call("POST", "/clusters", cluster_request())
    answer = await vks.call("POST", "/clusters/demo/kubeconfig")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")


def static(**more: Any) -> dict[str, Any]:
    return {"name": "p", "replicas": 2, "flavor": "small", "staticIP": more}


ON_A_NETWORK: dict[str, Any] = {"network": {"networkId": "n1"}, "nodePools": []}
BAD_ADDRESSES = [
    ({"count": 1}, "staticIP.count", "2 nodes need 2 slots, there are 1"),
    (
        {"addresses": ["10.60.1.4", "10.60.2.5"]},
        "staticIP.addresses.1",
        "10.60.2.5 is not in subnet s1 (10.60.1.0/24)",
    ),
    (
        {"addresses": ["10.60.1.4", "10.60.1.9"]},
        "staticIP.addresses.1",
        "10.60.1.9 is used by port p9",
    ),
    (
        {"addresses": ["10.60.1.4", "10.60.1.4"]},
        "staticIP.addresses.1",
        "10.60.1.4 is named twice",
    ),
    (
        {"slots": [{"address": "10.60.1.255"}, {}]},
        "staticIP.slots.0.address",
        "10.60.1.255 is not for nodes: network, gateway or broadcast address",
    ),
    ({"slots": [{"zone": "osaka-1"}, {}]}, "staticIP.slots.0.zone", "the pool is not in zone"),
    ({"count": 1000}, "staticIP.count", "subnet 10.60.1.0/24 has 252 free addresses"),
    ({"addresses": ["10.60.1"]}, "staticIP.addresses.0", "Expected 4 octets"),
    ({"count": 2, "addresses": ["10.60.1.4"]}, "staticIP", "exactly one of"),
    ({}, "staticIP", "exactly one of"),
]


@pytest.mark.parametrize(("asked", "field", "message"), BAD_ADDRESSES, ids=lambda v: str(v)[:40])
async def test_an_address_that_cannot_be_had_is_refused(
    vks: Vks, asked: dict[str, Any], field: str, message: str
) -> None:
    made = await vks.call("POST", "/clusters", cluster_request(**ON_A_NETWORK))
    assert made.status_code == 202, made.text
    answer = await vks.call("POST", "/clusters/demo/node-pools", static(**asked))
    assert answer.status_code == 422, answer.text
    said = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert message in said[field]
    assert (await vks.client.list(NodePool, vks.namespace)).items == []


async def test_a_subnet_of_another_network_is_unknown(vks: Vks) -> None:
    await vks.call("POST", "/clusters", cluster_request(**ON_A_NETWORK))
    body = static(subnet="foreign", count=2)
    answer = await vks.call("POST", "/clusters/demo/node-pools", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, "staticIP.subnet")


async def test_addresses_of_a_network_that_is_not_there_yet_cannot_be_chosen(vks: Vks) -> None:
    pool = static(addresses=["10.60.1.4", "10.60.1.5"])
    answer = await vks.call("POST", "/clusters", cluster_request(nodePools=[pool]))
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "nodePools.0.staticIP.addresses"
    assert "does not exist yet" in error["message"]


async def test_two_pools_of_a_request_cannot_have_one_address(vks: Vks) -> None:
    pools = [
        {"name": name, "replicas": 1, "flavor": "small", "staticIP": {"addresses": ["10.60.1.4"]}}
        for name in ("a", "b")
    ]
    body = cluster_request(**{**ON_A_NETWORK, "nodePools": pools})
    answer = await vks.call("POST", "/clusters", body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (error["field"], error["message"]) == (
        "nodePools.1.staticIP.addresses.0",
        "10.60.1.4 is used by pool a",
    )


async def test_more_nodes_than_slots_are_refused(vks: Vks) -> None:
    await vks.call("POST", "/clusters", cluster_request(**ON_A_NETWORK))
    await vks.call("POST", "/clusters/demo/node-pools", static(count=2))
    answer = await vks.call("PATCH", "/clusters/demo/node-pools/p", {"replicas": 3})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"] == [
        {"field": "replicas", "message": "3 nodes need 3 slots, there are 2"}
    ]
    none = await vks.call("PATCH", "/clusters/demo/node-pools/p", {"staticIP": None})
    assert (none.status_code, none.json()["errors"][0]["field"]) == (422, "staticIP")
    both = {"replicas": 3, "staticIP": {"count": 3}}
    answer = await vks.call("PATCH", "/clusters/demo/node-pools/p", both)
    assert answer.status_code == 202, answer.text


async def test_static_addresses_cannot_be_had_afterwards(vks: Vks) -> None:
    await vks.call("POST", "/clusters", cluster_request(**ON_A_NETWORK))
    plain_pool = {"name": "p", "replicas": 1, "flavor": "small"}
    await vks.call("POST", "/clusters/demo/node-pools", plain_pool)
    answer = await vks.call("PATCH", "/clusters/demo/node-pools/p", {"staticIP": {"count": 3}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "staticIP"
