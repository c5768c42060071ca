"""The same cluster by bare kubeadm: what somebody would do by hand, as fast as it can be done.

Servers, ports and the load balancer are made directly through the cloud's API, all of them at
once. kubeadm starts on a server as soon as it has booted: `init` on the first, then the workers
join beside each other, and the other control planes one after the other, because etcd takes one
new member at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
import uuid
from collections.abc import Sequence

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.create.infrastructure import POLL, Infrastructure, made
from benchmarks.create.readiness import wait_complete
from benchmarks.create.region import Region, Server
from benchmarks.create.timeline import Run
from vks.kube.client import Client
from vks.kube.objects import Resource
from vks.local.assets.versions import pinned_versions
from vks.resources.core import Node
from vks.resources.fields import Endpoint
from vks.resources.managedcluster import BootstrapSpec, ClusterNetworkSpec
from vks.service.provisioners.capi.addons.cni import cni_objects
from vks.verda.cloud import Cloud
from vks.verda.network import Route
from vks.verda.routes import desired_routes

NETWORK = ClusterNetworkSpec()
ROLES = {
    **{f"bare-cp-{number}": "control-plane" for number in (1, 2, 3)},
    **{f"bare-worker-{number}": "worker" for number in (1, 2, 3)},
}
_IGNORED = "--ignore-preflight-errors=SystemVerification"
_CNI_KINDS = {
    resource.kind: resource
    for resource in (
        Resource("", "v1", "ServiceAccount", "serviceaccounts"),
        Resource("", "v1", "ConfigMap", "configmaps"),
        Resource("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False),
        Resource(
            "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False
        ),
        Resource("apps", "v1", "DaemonSet", "daemonsets"),
    )
}


class KubeadmError(Exception):
    """kubeadm ended with an error; the message is the end of its output."""


async def run(region: Region, timeout: float) -> Run:
    """Makes the cluster, measures, and removes it. Raises KubeadmError, TookTooLongError."""
    run = Run()
    owner = str(uuid.uuid4())
    async with (
        region.cloud() as cloud,
        made(region, cloud, owner, NETWORK.pod_cidr, ROLES) as infrastructure,
    ):
        run.mark("serversRequested")
        bare = _Bare(region, cloud, infrastructure, run)
        await asyncio.wait_for(bare.build(time.time() + timeout), timeout)
    return run


class _Bare:
    def __init__(
        self, region: Region, cloud: Cloud, infrastructure: Infrastructure, run: Run
    ) -> None:
        self._region = region
        self._cloud = cloud
        self._infrastructure = infrastructure
        self._run = run
        self._servers = {
            name: region.server(server_id) for name, server_id in infrastructure.servers.items()
        }
        self._token = f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"
        self._certificate_key = secrets.token_hex(32)
        self._routes: set[Route] = set()

    async def build(self, deadline: float) -> None:
        first, *others = (name for name, role in ROLES.items() if role == "control-plane")
        workers = [name for name, role in ROLES.items() if role == "worker"]
        await self._booted(first)
        await self._init(self._servers[first])
        self._run.mark("initialized")
        admin = (self._servers[first].disk / "etc/kubernetes/admin.conf").read_bytes()
        async with Client(self._region.through_gateway(admin), user_agent="bench") as client:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._install_pod_network(client))
                tasks.create_task(self._join_one_by_one(others))
                for worker in workers:
                    tasks.create_task(self._join(worker))
                await wait_complete(client, len(ROLES), deadline, self._saw)
            self._run.mark("complete")
            for node in (await client.list(Node)).items:
                self._run.node(node)
        for name, server in self._servers.items():
            self._run.boot(name, server.disk)

    async def _booted(self, name: str) -> None:
        server = self._servers[name]
        finished = server.disk / "var/lib/cloud/instances" / server.id / "boot-finished"
        while not finished.exists():
            await asyncio.sleep(POLL)

    async def _init(self, server: Server) -> None:
        (server.disk / "root/kubeadm.yaml").write_text(self._configuration())
        await _kubeadm(server, "init", "--config=/root/kubeadm.yaml", "--upload-certs", _IGNORED)

    def _configuration(self) -> str:
        kubeadm = "kubeadm.k8s.io/v1beta4"
        return yaml.safe_dump_all(
            [
                {
                    "apiVersion": kubeadm,
                    "kind": "InitConfiguration",
                    "bootstrapTokens": [{"token": self._token}],
                    "certificateKey": self._certificate_key,
                },
                {
                    "apiVersion": kubeadm,
                    "kind": "ClusterConfiguration",
                    "kubernetesVersion": pinned_versions().kubernetes,
                    "controlPlaneEndpoint": f"{self._infrastructure.vip}:6443",
                    "networking": {
                        "podSubnet": NETWORK.pod_cidr,
                        "serviceSubnet": NETWORK.service_cidr,
                    },
                },
                {
                    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                    "kind": "KubeProxyConfiguration",
                    "mode": "nftables",
                    "conntrack": {"maxPerCore": 0},
                },
            ]
        )

    async def _join_one_by_one(self, names: Sequence[str]) -> None:
        for name in names:
            await self._join(name, "--control-plane", f"--certificate-key={self._certificate_key}")

    async def _join(self, name: str, *more: str) -> None:
        await self._booted(name)
        self._run.server(name, join=self._run.since(time.time()))
        await _kubeadm(
            self._servers[name],
            "join",
            f"{self._infrastructure.vip}:6443",
            f"--token={self._token}",
            f"--discovery-token-ca-cert-hash={self._authority_hash()}",
            _IGNORED,
            *more,
        )
        self._run.server(name, joined=self._run.since(time.time()))

    def _authority_hash(self) -> str:
        """The pin of the cluster's CA, as `kubeadm init` prints it."""
        first = next(iter(self._servers.values()))
        pem = (first.disk / "etc/kubernetes/pki/ca.crt").read_bytes()
        key = x509.load_pem_x509_certificate(pem).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"sha256:{hashlib.sha256(der).hexdigest()}"

    async def _install_pod_network(self, client: Client) -> None:
        endpoint = Endpoint(host=self._infrastructure.vip, port=6443)
        for body in cni_objects(BootstrapSpec().cni_image, endpoint):
            await client.apply(_CNI_KINDS[body["kind"]], body, field_manager="bench")

    async def _saw(self, nodes: Sequence[Node]) -> None:
        """What a cloud controller does for a cluster of somebody's own: the pods' routes."""
        self._run.ready(nodes)
        if missing := set(desired_routes(nodes)) - self._routes:
            await self._cloud.network.add_routes(self._infrastructure.router_id, [*missing])
            self._routes |= missing


async def _kubeadm(server: Server, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *server.command("kubeadm", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise KubeadmError(output.decode(errors="replace")[-2000:])
