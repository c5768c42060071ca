"""A cluster whose user brings the key to its nodes and its pod network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.clouds import Json
from tests.support.clusters import small_cluster
from tests.support.localregion import PROJECT, ROOT, LocalRegion, until
from tests.support.ssh import known_hosts, login, new_key, public_part, ssh
from tests.support.workload import Workload, is_ready

_NETWORK = ROOT / "examples" / "host-routes.yaml"
_IMAGES = "registry.vks.verda/vks"
_NO_NETWORK = "the nodes wait for a pod network of yours"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def mine(region: LocalRegion, keys: Path) -> Iterator[Path]:
    """The private part of a key pair that the user has brought to Nova."""
    path = new_key(keys, "mine")
    compute = region.connection("demo").compute
    compute.create_keypair(name="mine", public_key=public_part(path))
    yield path
    compute.delete_keypair("mine")


@pytest.fixture(scope="module")
def made(region: LocalRegion, mine: Path) -> Iterator[Json]:
    """The operation that made the cluster `bare`, at its end."""
    own = {"keyName": "mine", "network": {"cni": "none"}}
    request = small_cluster(region, "bare", workers=1) | own
    yield region.finished(region.ask("POST", "clusters", request), within=180.0)
    region.finished(region.ask("DELETE", "clusters/bare"), within=120.0)


@pytest.fixture(scope="module")
def nodes(region: LocalRegion, made: Json) -> list[Json]:
    """Its control plane and its worker."""
    found: list[Json] = region.read("pool", "nodes", "bare")["items"]
    return found


@pytest.fixture(scope="module")
def bare(region: LocalRegion, made: Json, tmp_path_factory: pytest.TempPathFactory) -> Workload:
    return Workload(region, "bare", tmp_path_factory.mktemp("bare"))


def routes(region: LocalRegion) -> list[Json]:
    """Those of the cluster's router."""
    (cluster,) = region.objects("verdaclusters", "bare")
    router = region.admin.network.get_router(cluster["status"]["network"]["routerID"])
    found: list[Json] = router.routes
    return found


def test_the_operation_ends_with_nodes_that_wait_for_their_users_network(
    region: LocalRegion, made: Json, bare: Workload
) -> None:
    steps = {step["name"]: step["message"] for step in made["steps"]}
    assert steps["ControlPlane"] == steps["Workers"] == f"0/1 ready; {_NO_NETWORK}"
    shown = region.read("cluster", "get", "bare")["status"]
    assert shown["phase"] == "Running"
    ready = next(c for c in shown["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "WaitingForPodNetwork")
    nodes = bare.nodes()
    assert [is_ready(node) for node in nodes] == [False, False]
    for node in nodes:
        said = next(c["message"] for c in node["status"]["conditions"] if c["type"] == "Ready")
        assert "NetworkPluginNotReady" in said
        keys = {taint["key"] for taint in node["spec"]["taints"]}
        assert "node.cloudprovider.kubernetes.io/uninitialized" not in keys


def test_no_pod_network_of_vkss_is_there(region: LocalRegion, made: Json, bare: Workload) -> None:
    sets = [o["metadata"]["name"] for o in bare.objects("daemonsets", "--all-namespaces")]
    assert sets == ["kube-proxy"]
    assert routes(region) == []


def test_nodes_without_a_network_are_not_taken_for_broken_ones(
    region: LocalRegion, made: Json
) -> None:
    """A health check counts a machine as healthy only if it is not about to be replaced."""
    until(
        lambda: [
            (check["status"].get("expectedMachines"), check["status"].get("currentHealthy"))
            for check in region.objects("machinehealthchecks", "bare")
        ],
        lambda seen: seen == [(1, 1), (1, 1)],
        within=10.0,
    )


def test_who_has_the_key_logs_in_to_every_node_and_becomes_root(
    region: LocalRegion, mine: Path, nodes: list[Json]
) -> None:
    assert sorted(node["role"] for node in nodes) == ["control-plane", "worker"]
    for node in nodes:
        assert ssh(region, mine, login(node), "id -un; sudo id -un; hostname").split() == [
            "vks",
            "root",
            node["name"],
        ]
    known = {line.split()[2] for line in known_hosts(mine).read_text().splitlines()}
    assert len(known) == len(nodes), "each has a host key of its own"


def test_nobody_else_does_and_no_password_is_asked_for(
    region: LocalRegion, keys: Path, nodes: list[Json]
) -> None:
    other = new_key(keys, "other")
    for node in nodes:
        assert "Permission denied (publickey)." in ssh(region, other, login(node), "true")


def test_nova_is_asked_for_servers_without_a_key_pair(
    region: LocalRegion, nodes: list[Json]
) -> None:
    """It would be one of VKS's own user, who makes the servers."""
    for node in nodes:
        assert region.admin.compute.get_server(node["serverId"]).key_name is None


def test_a_server_that_its_user_makes_has_novas_key_pair(
    region: LocalRegion, mine: Path, made: Json
) -> None:
    """As those from templates of the user's own, made with the user's own credential."""
    (cluster,) = region.objects("verdaclusters", "bare")
    compute = region.connection("demo").compute
    like = next(compute.servers())
    server = compute.create_server(
        name="own",
        image_id=like.image.id,
        flavor_id=compute.find_flavor("small").id,
        networks=[{"uuid": cluster["status"]["network"]["networkID"]}],
        key_name="mine",
    )
    server = compute.wait_for_server(server, wait=60)
    ((address,),) = server.addresses.values()
    until(
        lambda: ssh(region, mine, f"debian@{address['addr']}", "sudo id -un"),
        lambda said: said == "root\n",
        within=60.0,
    )
    compute.delete_server(server)
    compute.wait_for_delete(server)


def test_a_key_pair_of_another_user_is_unknown(
    region: LocalRegion, keys: Path, nodes: list[Json]
) -> None:
    public = public_part(new_key(keys, "theirs"))
    region.admin.compute.create_keypair(name="theirs", public_key=public)
    pool = {"name": "more", "replicas": 1, "flavor": "small", "keyName": "theirs"}
    answer = region.rest.call("POST", f"/projects/{PROJECT}/clusters/bare/node-pools", pool)
    region.admin.compute.delete_keypair("theirs")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (404, "reference_not_found")
    assert [error["field"] for error in problem["errors"]] == ["keyName"]
    assert len(region.read("pool", "list", "bare")["items"]) == 1


def test_a_network_of_the_users_own_connects_the_pods_of_all_nodes(
    region: LocalRegion, bare: Workload, nodes: list[Json]
) -> None:
    bare.kubectl("apply", f"--filename={_NETWORK}")
    bare.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
    until(
        lambda: region.read("cluster", "get", "bare")["status"],
        lambda status: all(c["status"] == "True" for c in status["conditions"]),
        within=30.0,
    )
    places = {node["role"]: node["name"] for node in nodes}
    run(bare, "hello", places["worker"])
    run(bare, "toolbox", places["control-plane"], "sleep", "600")
    bare.kubectl("wait", "--for=condition=Ready", "pod/hello", "pod/toolbox", "--timeout=60s")
    address = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in bare.objects("pods")}
    url = f"http://{address['hello']}:8080"
    answer = bare.kubectl("exec", "toolbox", "--", "curl", "-sSf", "--max-time", "5", url)
    assert answer.startswith(f"Hello {address['toolbox']}, ")
    assert routes(region) == []
    bare.kubectl("delete", "pod/hello", "pod/toolbox", "--now")


def run(bare: Workload, name: str, node: str, *command: str) -> None:
    """A pod of the image of that name, on that node whatever its taints."""
    placed = {"spec": {"nodeName": node, "tolerations": [{"operator": "Exists"}]}}
    bare.kubectl(
        *("run", name, f"--image={_IMAGES}/{name}:v1", f"--overrides={json.dumps(placed)}"),
        *(f"--env={variable}=-" for variable in ("POD", "NODE", "ZONE")),
        *(("--", *command) if command else ()),
    )


def test_another_key_replaces_the_nodes_of_its_pool_after_a_plan(
    region: LocalRegion, keys: Path, nodes: list[Json]
) -> None:
    public = public_part(new_key(keys, "next"))
    compute = region.connection("demo").compute
    compute.create_keypair(name="next", public_key=public)
    plan = region.read("pool", "update", "bare", "default", "--key", "next", "--plan")
    workers = [node["name"] for node in nodes if node["role"] == "worker"]
    assert [node["name"] for node in plan["replaced"]] == workers
    assert plan["because"] == ["sshPublicKey"]
    region.vks("pool", "update", "bare", "default", "--key", "next", "--yes")
    compute.delete_keypair("next")
    (node,) = region.read("pool", "nodes", "bare", "default")["items"]
    assert node["name"] not in workers
    assert ssh(region, keys / "next", login(node), "sudo id -un") == "root\n"
