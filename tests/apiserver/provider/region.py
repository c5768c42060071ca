"""A management cluster with Cluster API's CRDs, a local Verda, and somebody who plays core."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import requests
import yaml
from tests.support.apiserver import programs
from tests.support.clouds import Cloud as CloudUnderTest
from tests.support.clouds import Project

from vks.kube.client import Client
from vks.kube.objects import Resource, find_condition
from vks.provider.options import Options
from vks.provider.setup import setup
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.core import Secret
from vks.resources.ipam import IPAddress, IPAddressClaim
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import PORT_POOL_LABEL, VerdaPort, VerdaPortPool
from vks.runtime.manager import Manager
from vks.verda.cloud import Cloud
from vks.verda.credentials import CloudConfig

T = TypeVar("T")

ROOT = Path(__file__).parents[3]
CRDS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
CLUSTER_API = "cluster.x-k8s.io/v1beta2"
INFRASTRUCTURE = "infrastructure.cluster.x-k8s.io"
OPTIONS = Options(None, None, None, "127.0.0.1:0", 20, 36_000.0, False, "vks-system", "info")
PATIENCE = 30.0


async def install_crds(client: Client) -> None:
    """Ours, and core's Cluster and Machine."""
    upstream = programs().resolve().parent / "cluster-api/core/config/crd/bases"
    files = [*(ROOT / "config/crd").glob("*.yaml")]
    files += [upstream / f"cluster.x-k8s.io_{kind}.yaml" for kind in ("clusters", "machines")]
    files += [*upstream.glob("ipam.cluster.x-k8s.io_*.yaml")]
    for file in files:
        crd = yaml.safe_load(file.read_text())
        await client.apply(CRDS, crd, field_manager="test")
    for model in (Cluster, Machine, VerdaCluster, VerdaMachine, IPAddress, IPAddressClaim):
        await eventually(partial(_listable, client, model))


async def _listable(client: Client, model: Any) -> bool:
    with contextlib.suppress(Exception):
        await client.list(model)
        return True
    return False


async def eventually(observe: Callable[[], Awaitable[T | None]], patience: float = PATIENCE) -> T:
    """Wait for a true observation; the last one is in the failure's message."""
    deadline = asyncio.get_running_loop().time() + patience
    while not (seen := await observe()):
        assert asyncio.get_running_loop().time() < deadline, f"not within {patience} s: {seen}"
        await asyncio.sleep(0.05)
    return seen


@contextlib.asynccontextmanager
async def provider(client: Client, namespace: str, **more: Any) -> AsyncIterator[Manager]:
    """The provider's controllers for one namespace, with these options, stopped at the end."""
    manager = Manager(client, name="vks-provider", grace_period=2.0)
    options = Options(**{**vars(OPTIONS), "namespace": namespace, **more})
    setup(manager, client, options)
    stop = asyncio.Event()
    task = asyncio.create_task(manager.run(stop))
    try:
        yield manager
    finally:
        stop.set()
        await task


class Region:
    """One test's cluster, its objects written as core and the bootstrap provider write them."""

    def __init__(
        self, client: Client, namespace: str, cloud: CloudUnderTest, project: Project
    ) -> None:
        self.client = client
        self.namespace = namespace
        self.under_test = cloud
        self.project = project
        entry = project.member.credential.clouds_yaml_entry()
        self.clouds_yaml = json.dumps({"clouds": {"verda": entry}})
        self.verda = Cloud(CloudConfig.from_yaml(self.clouds_yaml))

    # -- what users and core write

    async def add_cluster(self, name: str = "demo", **spec: Any) -> None:
        ns = self.namespace
        await self.secret("identity", {"clouds.yaml": self.clouds_yaml})
        body = {
            "metadata": {"name": name, "namespace": ns},
            "spec": {
                "clusterNetwork": {
                    "pods": {"cidrBlocks": ["10.244.0.0/16"]},
                    "services": {"cidrBlocks": ["10.96.0.0/16"]},
                },
                "infrastructureRef": {
                    "apiGroup": INFRASTRUCTURE,
                    "kind": "VerdaCluster",
                    "name": name,
                },
            },
        }
        cluster = await self.client.apply(Cluster, body, field_manager="user")
        verda = {
            "metadata": {
                "name": name,
                "namespace": ns,
                "labels": {"cluster.x-k8s.io/cluster-name": name},
                "ownerReferences": [self._owner("Cluster", name, cluster.metadata.uid, False)],
            },
            "spec": {
                "region": self.under_test.region,
                "identityRef": {"name": "identity"},
                "failureDomains": {zone: {"controlPlane": True} for zone in self.under_test.zones},
                **spec,
            },
        }
        await self.client.apply(VerdaCluster, verda, field_manager="core")

    async def core_sees_infrastructure(self, name: str = "demo") -> VerdaCluster:
        """What core does once the VerdaCluster is provisioned."""
        cluster = await eventually(lambda: self._provisioned(name))
        await self.client.merge_patch(
            Cluster,
            name,
            self.namespace,
            {"status": {"initialization": {"infrastructureProvisioned": True}}},
            subresource="status",
        )
        return cluster

    async def add_machine(
        self,
        name: str,
        *,
        zone: str,
        control_plane: bool = False,
        bootstrap: bool = True,
        cluster: str = "demo",
        **spec: Any,
    ) -> None:
        labels = {"cluster.x-k8s.io/cluster-name": cluster}
        if control_plane:
            labels["cluster.x-k8s.io/control-plane"] = ""
        config = {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfig", "name": name}
        body: dict[str, Any] = {
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "spec": {
                "clusterName": cluster,
                "version": "v1.36.3",
                "failureDomain": zone,
                "bootstrap": {"configRef": config},
                "infrastructureRef": {
                    "apiGroup": INFRASTRUCTURE,
                    "kind": "VerdaMachine",
                    "name": name,
                },
            },
        }
        machine = await self.client.apply(Machine, body, field_manager="user")
        verda = {
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": labels,
                "ownerReferences": [self._owner("Machine", name, machine.metadata.uid, True)],
            },
            "spec": {
                "flavor": self.under_test.flavors[0],
                "image": self.under_test.image,
                **spec,
            },
        }
        await self.client.apply(VerdaMachine, verda, field_manager="core")
        if bootstrap:
            await self.bootstrap_is_ready(name)

    async def add_port_pool(
        self, name: str = "web", *slots: dict[str, str], cluster: str = "demo", **spec: Any
    ) -> None:
        """A pool of those slots."""
        body = {
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {"cluster.x-k8s.io/cluster-name": cluster},
            },
            "spec": {"clusterName": cluster, "slots": [*slots], **spec},
        }
        await self.client.apply(VerdaPortPool, body, field_manager="user")

    async def bootstrap_is_ready(self, name: str, data: str = "#cloud-config\n") -> None:
        await self.secret(f"{name}-bootstrap", {"value": data, "format": "cloud-config"})
        patch = {"spec": {"bootstrap": {"dataSecretName": f"{name}-bootstrap"}}}
        await self.client.merge_patch(Machine, name, self.namespace, patch)

    async def secret(self, name: str, data: dict[str, str]) -> None:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        body = {"metadata": {"name": name, "namespace": self.namespace}, "data": encoded}
        await self.client.apply(Secret, body, field_manager="user")

    # -- what can be seen

    async def cluster(self, name: str = "demo") -> VerdaCluster:
        return await self.client.get(VerdaCluster, name, self.namespace)

    async def machine(self, name: str) -> VerdaMachine:
        return await self.client.get(VerdaMachine, name, self.namespace)

    async def machine_is_provisioned(self, name: str) -> VerdaMachine:
        async def look() -> VerdaMachine | None:
            machine = await self.machine(name)
            return machine if machine.status.initialization.provisioned else None

        found = await eventually(look)
        assert found is not None
        return found

    async def slots(self, pool: str = "web") -> dict[str, VerdaPort]:
        """The pool's slots by name."""
        label = f"{PORT_POOL_LABEL}={pool}"
        found = (await self.client.list(VerdaPort, self.namespace, label_selector=label)).items
        return {port.metadata.name.removeprefix(f"{pool}."): port for port in found}

    async def slots_are_reserved(self, count: int, pool: str = "web") -> dict[str, VerdaPort]:
        async def look() -> dict[str, VerdaPort] | None:
            found = await self.slots(pool)
            free = [port for port in found.values() if port.status.port_id]
            return found if len(free) == len(found) == count else None

        reserved = await eventually(look)
        assert reserved is not None
        return reserved

    async def says(self, model: Any, name: str, reason: str) -> str:
        """The message of the Ready condition, once it has that reason."""

        async def look() -> str | None:
            found = await self.client.get(model, name, self.namespace)
            ready = find_condition(found.status.conditions, "Ready")
            return ready.message or "-" if ready and ready.reason == reason else None

        message = await eventually(look)
        assert message is not None
        return message

    async def gone(self, model: Any, name: str) -> None:
        async def look() -> bool:
            items = (await self.client.list(model, self.namespace)).items
            return all(item.metadata.name != name for item in items)

        await eventually(look)

    async def census(self) -> dict[str, int]:
        """How much of everything the project has in the cloud."""
        network = self.verda.network
        return {
            "servers": len(await self.verda.compute.servers()),
            "server groups": len(await self.verda.compute.server_groups()),
            "ports": len([p for p in await network.ports() if "router" not in p.device_owner]),
            "networks": len(await network.networks()),
            "load balancers": len(await self.verda.loadbalancer.load_balancers()),
        }

    async def _provisioned(self, name: str) -> VerdaCluster | None:
        cluster = await self.cluster(name)
        return cluster if cluster.status.initialization.provisioned else None

    @staticmethod
    def _owner(kind: str, name: str, uid: str, controller: bool) -> dict[str, Any]:
        return {
            "apiVersion": CLUSTER_API,
            "kind": kind,
            "name": name,
            "uid": uid,
            "controller": controller,
        }


class Faults:
    """The local Verda's fault injection and call counters."""

    def __init__(self, auth_url: str) -> None:
        self._base = auth_url.removesuffix("/identity/v3") + "/admin"

    def add(self, action: str, **fields: Any) -> None:
        body = {"fault": {"action": action, **fields}}
        answer = requests.post(f"{self._base}/faults", json=body, timeout=10)
        assert answer.status_code == 201, answer.text

    def clear(self) -> None:
        requests.delete(f"{self._base}/faults", timeout=10)
        self.limit(0)

    def limit(self, rate: float) -> None:
        """So many calls a second; 0 lifts the limit."""
        answer = requests.put(f"{self._base}/rate-limit", json={"rate": rate}, timeout=10)
        assert answer.status_code == 200, answer.text

    def forget_calls(self) -> None:
        """Count from zero."""
        requests.delete(f"{self._base}/calls", timeout=10)

    def calls(self) -> dict[str, int]:
        """How often each kind of call was made: `SERVICE METHOD ROUTE`."""
        made: dict[str, int] = requests.get(f"{self._base}/calls", timeout=10).json()["calls"]
        return {kind: count for kind, count in made.items() if not kind.startswith("admin ")}

    def refused(self) -> int:
        """How many calls were too many."""
        statuses = requests.get(f"{self._base}/calls", timeout=10).json()["statuses"]
        return sum(by_status.get("429", 0) for by_status in statuses.values())
