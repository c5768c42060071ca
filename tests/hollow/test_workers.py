"""Hollow workers of a real API server: they join, authenticate and live as kubelets do."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.hollow.conftest import VERSION, Hollow, cloud_config
from tests.support.apiserver import ApiServer
from tests.support.eventually import eventually
from tests.support.kubeadmcluster import TOKEN, ca_hash, let_join, running_kubeadm_cluster

from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.kube.objects import Resource
from vks.local.platform.pki import Authority
from vks.local.servers import ServerNotFoundError, ServerSpec
from vks.local.servers.hollow.backend import HollowBackend
from vks.resources.core import Node

NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
PODS = Resource("", "v1", "Pod", "pods")
LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases")
REQUESTS = Resource(
    "certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", False
)
Join = Callable[[str], Awaitable[None]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_kubeadm_cluster(tmp_path_factory.mktemp("cluster")) as server:
        yield server


@pytest.fixture
async def api(cluster: ApiServer) -> AsyncIterator[Client]:
    async with Client(cluster.config, timeout=5.0) as client:
        try:
            await client.get(
                Resource("", "v1", "ConfigMap", "configmaps"), "cluster-info", "kube-public"
            )
        except NotFound:
            await let_join(client, cluster)
        yield client


@pytest.fixture
async def hollow(program: Path, cluster: ApiServer) -> AsyncIterator[Hollow]:
    with tempfile.TemporaryDirectory(prefix="vks-") as home:
        directory = Path(home)
        unused = Authority(directory / "unused")
        made = Hollow(program, directory, unused, unused, cluster.port, ("--workers",))
        await made.start()
        yield made
        made.kill()


def worker(cluster: ApiServer, hollow: Hollow, name: str, **discovery: Any) -> ServerSpec:
    """A server whose user data makes it join, as Cluster API writes it."""
    arguments = {
        "cloud-provider": "external",
        "provider-id": f"verda:///r/z/{name}",
        "node-labels": "pool=hollow",
    }
    configuration = {
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": f"127.0.0.1:{cluster.port}",
                "token": TOKEN,
                "caCertHashes": [ca_hash(cluster.pki.ca)],
                **discovery,
            }
        },
        "nodeRegistration": {
            "name": name,
            "kubeletExtraArgs": [{"name": k, "value": v} for k, v in arguments.items()],
            "taints": [{"key": "dedicated", "value": "scale", "effect": "NoSchedule"}],
        },
    }
    files = {"/run/kubeadm/kubeadm-join-config.yaml": yaml.safe_dump(configuration)}
    return hollow.spec(name, cloud_config(files, "kubeadm join"))


async def ready(api: Client, name: str) -> bool:
    try:
        return (await api.get(Node, name)).ready
    except NotFound:
        return False


async def renewed(api: Client, name: str) -> str:
    """When the node's lease was renewed, empty when it has none."""
    try:
        lease = await api.get(LEASES, name, "kube-node-lease")
    except NotFound:
        return ""
    assert lease["spec"]["holderIdentity"] == name
    return str(lease["spec"]["renewTime"])


async def renews(api: Client, name: str, since: str = "") -> bool:
    return await renewed(api, name) > since


@pytest.fixture
def join(cluster: ApiServer, hollow: Hollow, servers: HollowBackend, api: Client) -> Join:
    """Makes a worker of that name, and returns once its node is ready."""

    async def joined(name: str) -> None:
        await servers.ensure_running(worker(cluster, hollow, name))
        await eventually(lambda: ready(api, name))

    return joined


async def test_a_worker_registers_what_its_join_configuration_says(
    join: Join, servers: HollowBackend, api: Client
) -> None:
    await join("w-1")

    node = await api.get(NODES, "w-1")
    assert node["spec"]["providerID"] == "verda:///r/z/w-1"
    assert node["spec"]["podCIDR"].startswith("10.244.")
    taints = {taint["key"] for taint in node["spec"]["taints"]}
    assert {"dedicated", "node.cloudprovider.kubernetes.io/uninitialized"} <= taints
    labels = node["metadata"]["labels"]
    assert (labels["pool"], labels["kubernetes.io/hostname"]) == ("hollow", "w-1")
    status = node["status"]
    assert (status["nodeInfo"]["kubeletVersion"], status["capacity"]["cpu"]) == (VERSION, "1")
    addresses = {one["type"]: one["address"] for one in status["addresses"]}
    assert addresses == {"Hostname": "w-1", "InternalIP": "10.128.0.1"}
    await eventually(lambda: renews(api, "w-1"))
    assert "joined the cluster" in await servers.console_output("w-1")


async def test_a_worker_has_a_certificate_of_its_own_that_the_cluster_signed(
    join: Join, api: Client
) -> None:
    await join("w-csr")

    requests = [one["spec"] for one in (await api.list(REQUESTS)).items]
    assert all(one["username"] == f"system:bootstrap:{TOKEN[:6]}" for one in requests)
    writers = {
        entry["manager"] for entry in (await api.get(NODES, "w-csr"))["metadata"]["managedFields"]
    }
    assert "kubelet" in writers


async def test_pods_run_with_addresses_of_their_node_and_end(join: Join, api: Client) -> None:
    await join("w-pods")
    pod = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"nodeName": "w-pods", "containers": [{"name": "web", "image": "none"}]},
    }
    await api.create(PODS, pod)

    async def status() -> dict[str, Any]:
        found: dict[str, Any] = (await api.get(PODS, "web", "default"))["status"]
        return found

    async def runs() -> bool:
        return (await status()).get("phase") == "Running"

    await eventually(runs)
    prefix = (await api.get(NODES, "w-pods"))["spec"]["podCIDR"].removesuffix("0/24")
    assert (await status())["podIP"].startswith(prefix)

    await api.delete(PODS, "web", "default")

    async def gone() -> bool:
        return not (await api.list(PODS, "default")).items

    await eventually(gone)


@pytest.mark.parametrize(
    ("discovery", "says"),
    [
        ({"caCertHashes": ["sha256:" + "0" * 64]}, "not one of the pinned ones"),
        ({"caCertHashes": []}, "not one of the pinned ones"),
        ({"token": "abcdef.ffffffffffffffff"}, "signature with token abcdef is wrong"),
        ({"token": "unknow.0123456789abcdef"}, "not signed with token unknow"),
    ],
)
async def test_a_worker_that_cannot_trust_the_cluster_stays_away(
    cluster: ApiServer,
    hollow: Hollow,
    servers: HollowBackend,
    api: Client,
    discovery: dict[str, Any],
    says: str,
) -> None:
    await servers.ensure_running(worker(cluster, hollow, "stranger", **discovery))

    async def said() -> bool:
        return says in await servers.console_output("stranger")

    await eventually(said)
    with pytest.raises(NotFound):
        await api.get(Node, "stranger")
    console = await servers.console_output("stranger")
    assert not [secret for secret in ("0123456789abcdef", "f" * 16) if secret in console]


async def test_the_name_of_a_living_node_is_refused(
    join: Join, cluster: ApiServer, hollow: Hollow, servers: HollowBackend, api: Client
) -> None:
    await join("w-name")
    before = await api.get(Node, "w-name")

    await servers.ensure_running(replace(worker(cluster, hollow, "w-name"), id="other"))

    async def refused() -> bool:
        return "a node w-name exists and is Ready" in await servers.console_output("other")

    await eventually(refused)
    assert (await api.get(Node, "w-name")).metadata.uid == before.metadata.uid


async def test_a_killed_program_goes_on_with_the_same_node_and_certificate(
    join: Join, hollow: Hollow, api: Client
) -> None:
    await join("w-kill")
    await eventually(lambda: renews(api, "w-kill"))
    node, lease = await api.get(Node, "w-kill"), await renewed(api, "w-kill")
    requests = len((await api.list(REQUESTS)).items)

    hollow.kill()
    await hollow.start()
    await eventually(lambda: renews(api, "w-kill", since=lease))
    assert (await api.get(Node, "w-kill")).metadata.uid == node.metadata.uid
    assert len((await api.list(REQUESTS)).items) == requests


async def test_a_deleted_server_falls_silent(
    join: Join, servers: HollowBackend, api: Client
) -> None:
    await join("w-gone")

    await servers.delete("w-gone")

    pod = {
        "metadata": {"name": "late", "namespace": "default"},
        "spec": {"nodeName": "w-gone", "containers": [{"name": "web", "image": "none"}]},
    }
    await api.create(PODS, pod)
    await join("w-next")
    assert (await api.get(PODS, "late", "default"))["status"]["phase"] == "Pending"
    with pytest.raises(ServerNotFoundError):
        await servers.console_output("w-gone")
    assert "w-gone" not in await servers.list()
    await api.delete(PODS, "late", "default")


async def test_a_control_plane_says_that_it_needs_a_real_server(
    hollow: Hollow, servers: HollowBackend
) -> None:
    await servers.ensure_running(hollow.join("cp", control_plane=True))

    async def said() -> bool:
        return "control planes need a real one" in await servers.console_output("cp")

    await eventually(said)
