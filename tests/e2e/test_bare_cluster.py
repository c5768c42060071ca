"""A cluster whose user brings the key to its nodes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.clouds import Json
from tests.support.clusters import small_cluster
from tests.support.localregion import PROJECT, LocalRegion

#: What people type into the comments of their keys.
COMMENT = "me@{{ home }}: 'x' # {% if"


def new_key(directory: Path, name: str) -> Path:
    path = directory / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", COMMENT, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def mine(region: LocalRegion, keys: Path) -> Iterator[Path]:
    """The private part of a key pair that the user has brought to Nova."""
    path = new_key(keys, "mine")
    compute = region.connection("demo").compute
    compute.create_keypair(name="mine", public_key=path.with_suffix(".pub").read_text())
    yield path
    compute.delete_keypair("mine")


@pytest.fixture(scope="module")
def nodes(region: LocalRegion, mine: Path) -> Iterator[list[Json]]:
    """The control plane and the worker of the cluster `bare`."""
    request = small_cluster(region, "bare", workers=1) | {"keyName": "mine"}
    region.finished(region.ask("POST", "clusters", request), within=180.0)
    yield region.read("pool", "nodes", "bare")["items"]
    region.finished(region.ask("DELETE", "clusters/bare"), within=120.0)


def ssh(region: LocalRegion, key: Path, node: Json, *command: str) -> str:
    """What the command says on the node, or why there is no way in."""
    address = next(a["address"] for a in node["addresses"] if a["type"] == "InternalIP")
    options = (
        *("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "IdentitiesOnly=yes"),
        *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={key.parent / 'hosts'}"),
    )
    within = ["ip", "netns", "exec", region.instance.fabric_netns]
    done = subprocess.run(
        [*within, "ssh", "-i", str(key), *options, f"vks@{address}", *command],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout if done.returncode == 0 else done.stderr


def test_who_has_the_key_logs_in_to_every_node_and_becomes_root(
    region: LocalRegion, mine: Path, nodes: list[Json]
) -> None:
    assert sorted(node["role"] for node in nodes) == ["control-plane", "worker"]
    for node in nodes:
        assert ssh(region, mine, node, "id -un; sudo id -un; hostname").split() == [
            "vks",
            "root",
            node["name"],
        ]
    known = {line.split()[2] for line in (mine.parent / "hosts").read_text().splitlines()}
    assert len(known) == len(nodes), "each has a host key of its own"


def test_nobody_else_does_and_no_password_is_asked_for(
    region: LocalRegion, keys: Path, nodes: list[Json]
) -> None:
    other = new_key(keys, "other")
    for node in nodes:
        assert "Permission denied (publickey)." in ssh(region, other, node, "true")


def test_nova_is_asked_for_servers_without_a_key_pair(
    region: LocalRegion, nodes: list[Json]
) -> None:
    """It would be one of VKS's own user, who makes the servers."""
    for node in nodes:
        assert region.admin.compute.get_server(node["serverId"]).key_name is None


def test_a_key_pair_of_another_user_is_unknown(
    region: LocalRegion, keys: Path, nodes: list[Json]
) -> None:
    public = new_key(keys, "theirs").with_suffix(".pub").read_text()
    region.admin.compute.create_keypair(name="theirs", public_key=public)
    pool = {"name": "more", "replicas": 1, "flavor": "small", "keyName": "theirs"}
    answer = region.rest.call("POST", f"/projects/{PROJECT}/clusters/bare/node-pools", pool)
    region.admin.compute.delete_keypair("theirs")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (404, "reference_not_found")
    assert [error["field"] for error in problem["errors"]] == ["keyName"]
    assert len(region.read("pool", "list", "bare")["items"]) == 1


def test_another_key_replaces_the_nodes_of_its_pool_after_a_plan(
    region: LocalRegion, keys: Path, nodes: list[Json]
) -> None:
    public = new_key(keys, "next").with_suffix(".pub").read_text()
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
    assert ssh(region, keys / "next", node, "sudo id -un") == "root\n"
