"""Port pools on real servers, re-created over and over while everything around them fails.

The machines are upstream's MachineDeployments, one per zone; Cluster API replaces what is deleted.
Their servers are real (namespaces, addresses, boots), only Kubernetes is not installed on them:
that would take most of the time and none of it is about addresses. `VKS_E2E_ROUNDS` asks for more
rounds than the three dozen re-creations of the default. With `VKS_PUBLISH=1` the figures become
benchmarks/results/static-ip.json.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
import yaml
from benchmarks import report
from tests.support import doorman, leftovers
from tests.support.kernelwatch import KernelWatch, addresses
from tests.support.localregion import region_name

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.objects import Resource, find_condition
from vks.resources.clusterapi import Cluster, Machine, MachineDeployment
from vks.resources.core import Secret
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine, VerdaMachineTemplate
from vks.resources.verdaport import VerdaPort, VerdaPortPool
from vks.verda.cloud import Cloud
from vks.verda.credentials import CloudConfig

T = TypeVar("T")
Slots = dict[str, tuple[str, str, str]]  # zone -> address, MAC, port id

NAME = region_name("static")
NETNS = f"vks-{NAME}"
ZONES = [f"{NAME}-{number}" for number in (1, 2, 3)]
ROUNDS = int(os.environ.get("VKS_E2E_ROUNDS", "12"))
VKS = Path(sys.executable).with_name("vks")
NS = "static"
DOOR = 9000

#: What the cloud does wrong in a round; `hold` lasts until every machine is held up by it.
FAULTS: dict[str, list[dict[str, Any]]] = {
    "a delete is answered and not done": [{"action": "hold", "path": "^server.delete/"}],
    "the server is gone and its port not free": [{"action": "hold", "path": "^port.unbind/"}],
    "the answer to a creation is lost": [
        {"action": "drop_after", "service": "compute", "method": "POST", "path": "/servers$"}
        | {"count": 2}
    ],
    "a fifth of all calls fails": [
        {"action": "error", "service": service, "status": 503, "probability": 0.2}
        for service in ("compute", "network")
    ],
}

#: What machines say that a fault holds up for good.
STUCK = {
    "a delete is answered and not done": "ServerDeleting",
    "the server is gone and its port not free": "PortInUse",
}

pytestmark = [
    pytest.mark.timeout(1200 + 60 * ROUNDS),
    pytest.mark.skipif(os.geteuid() != 0, reason="servers need root"),
]


def vks(*arguments: str) -> str:
    done = subprocess.run(
        [str(VKS), *arguments], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"vks {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def status() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(vks("status", "--name", NAME, "-o", "json"))
    return found


@pytest.fixture(scope="module")
def region() -> Iterator[dict[str, Any]]:
    vks("down", "--name", NAME, "--purge")  # what a killed run left
    try:
        vks("up", "--name", NAME)
        yield status()
    finally:
        vks("down", "--name", NAME, "--purge")
    assert leftovers.of_region(NAME) == []


@pytest.fixture
async def client(region: dict[str, Any]) -> AsyncIterator[Client]:
    async with Client(administrator(region)) as client:
        yield client


@pytest.fixture
async def verda(region: dict[str, Any]) -> AsyncIterator[Cloud]:
    async with Cloud(CloudConfig.from_yaml(credential(region))) as cloud:
        yield cloud


def administrator(region: dict[str, Any]) -> ClientConfig:
    return ClientConfig.from_kubeconfig(Path(region["kubeconfig"]).read_bytes())


def credential(region: dict[str, Any]) -> str:
    entry = yaml.safe_load(Path(region["cloudsYaml"]).read_text())["clouds"]["demo"]
    return json.dumps({"clouds": {"verda": entry}})


async def eventually(observe: Callable[[], Awaitable[T]], within: float = 180.0) -> T:
    deadline = asyncio.get_running_loop().time() + within
    while not (seen := await observe()):
        assert asyncio.get_running_loop().time() < deadline, f"not within {within} s"
        await asyncio.sleep(0.2)
    return seen


class Faults:
    """The cloud's fault injection, with the operator's token."""

    def __init__(self, region: dict[str, Any]) -> None:
        seed = yaml.safe_load(Path(region["home"], "cloud/seed.yaml").read_text())
        base = region["endpoints"]["identity"].removesuffix("/identity/v3")
        self._url = f"{base}/admin/faults"
        self._headers = {"X-Operator-Token": seed["operator_token"]}

    def add(self, name: str) -> None:
        for fault in FAULTS[name]:
            body = {"fault": fault}
            answer = requests.post(self._url, json=body, headers=self._headers, timeout=10)
            assert answer.status_code == 201, answer.text

    def clear(self) -> None:
        requests.delete(self._url, headers=self._headers, timeout=10).raise_for_status()


def kill(name: str) -> None:
    """kill -9 of one of the region's programs; its supervisor starts it again."""
    process = next(p for p in status()["processes"] if p["name"] == name)
    with contextlib.suppress(ProcessLookupError):  # on its way up from an earlier one
        if process["pid"]:
            os.kill(process["pid"], signal.SIGKILL)


async def apply(client: Client, model: Any, name: str, spec: Any, **metadata: Any) -> None:
    body = {"metadata": {"name": name, "namespace": NS, **metadata}, "spec": spec}
    await client.apply(model, body, field_manager="test")


async def secret(client: Client, name: str, **data: str) -> None:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    body = {"metadata": {"name": name, "namespace": NS}, "data": encoded}
    await client.apply(Secret, body, field_manager="test")


async def build(client: Client, region: dict[str, Any], cloud: Cloud) -> None:
    """A cluster without Kubernetes: its network, a port pool, one machine in each zone."""
    namespaces = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
    await client.create(namespaces, {"metadata": {"name": NS}})
    await secret(client, "identity", **{"clouds.yaml": credential(region)})
    await secret(client, "boot", value="#cloud-config\n", format="cloud-config")
    labels = {"cluster.x-k8s.io/cluster-name": "demo"}
    ours = {"apiGroup": "infrastructure.cluster.x-k8s.io"}
    domains = {zone: {"controlPlane": True} for zone in ZONES}
    where = {"region": NAME, "identityRef": {"name": "identity"}, "failureDomains": domains}
    await apply(client, VerdaCluster, "demo", where, labels=labels)
    ranges = {"pods": {"cidrBlocks": ["10.244.0.0/16"]}}
    infrastructure = {**ours, "kind": "VerdaCluster", "name": "demo"}
    spec = {"clusterNetwork": ranges, "infrastructureRef": infrastructure}
    await apply(client, Cluster, "demo", spec)
    slots = [{"name": str(number)} for number in (1, 2, 3)]
    pool = {"clusterName": "demo", "slots": slots}
    await apply(client, VerdaPortPool, "web", pool, labels=labels)
    flavor = min(await cloud.compute.flavors(), key=lambda f: f.ram)
    image = next(i for i in await cloud.image.images() if i.kubernetes_version)
    server = {"flavor": flavor.name, "image": image.name, "portPoolRef": {"name": "web"}}
    await apply(client, VerdaMachineTemplate, "web", {"template": {"spec": server}})
    for zone in ZONES:
        own = {**labels, "zone": zone}
        machine = {
            "clusterName": "demo",
            "failureDomain": zone,
            "bootstrap": {"dataSecretName": "boot"},
            "infrastructureRef": {**ours, "kind": "VerdaMachineTemplate", "name": "web"},
        }
        template = {"metadata": {"labels": own}, "spec": machine}
        spec = {
            "clusterName": "demo",
            "replicas": 1,
            "selector": {"matchLabels": own},
            "template": template,
        }
        await apply(client, MachineDeployment, zone, spec, labels=labels)


async def running(client: Client, old: set[str]) -> dict[str, VerdaMachine] | None:
    """The machine of every zone, once all have a server and the old ones are gone."""
    found = (await client.list(VerdaMachine, NS)).items
    up = {m.spec.availability_zone or "": m for m in found if m.status.initialization.provisioned}
    gone = not old & {m.metadata.name for m in found}
    return up if gone and sorted(up) == ZONES and len(found) == len(ZONES) else None


async def on_the_wire(machines: dict[str, VerdaMachine], client: Client) -> Slots:
    """What each zone's server has, address and MAC as the kernel says."""
    ports = {p.status.port_id: p for p in (await client.list(VerdaPort, NS)).items}
    found: Slots = {}
    for zone, machine in machines.items():
        port_id = machine.status.port_id or ""
        plugged = addresses(f"{NETNS}.{machine.status.server_id}")
        assert list(plugged) == [ports[port_id].status.address], (zone, plugged)
        ((address, mac),) = plugged.items()
        found[zone] = (address, mac, port_id)
    return found


def knock(server_id: str | None, gateway: str) -> str:
    """Connect to the doorman from inside the server's namespace; its answer."""
    netns = f"{NETNS}.{server_id}" if server_id else NETNS
    script = f"exec 3<>/dev/tcp/{gateway}/{DOOR} && read -t 10 answer <&3 && echo $answer"
    done = subprocess.run(
        ["ip", "netns", "exec", netns, "bash", "-c", script],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return done.stdout.strip() or done.stderr.strip()


@contextlib.contextmanager
def doorkeeper(allowed: list[str]) -> Iterator[None]:
    """The doorman, outside of the servers, knowing their addresses and nothing else."""
    argv = ["ip", "netns", "exec", NETNS, sys.executable, doorman.__file__, str(DOOR), *allowed]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "listening"
        try:
            yield
        finally:
            process.kill()


async def recreate_all(client: Client, faults: Faults, number: int) -> dict[str, VerdaMachine]:
    """Every machine is deleted at once, in the worst of conditions."""
    fault = [*FAULTS][number % len(FAULTS)]
    old = {m.metadata.name for m in (await client.list(VerdaMachine, NS)).items}
    faults.add(fault)
    for machine in (await client.list(Machine, NS)).items:
        await client.delete(Machine, machine.metadata.name, NS)
    kill("provider")
    if fault in STUCK:
        await eventually(lambda: stuck(client, STUCK[fault]))
        kill("provider" if number % 8 < 4 else "capi-core")
    else:
        await asyncio.sleep(1.0 + number % 3)  # somewhere in the middle
        kill("provider")
    faults.clear()
    machines = await eventually(lambda: running(client, old))
    assert machines is not None
    return machines


async def stuck(client: Client, reason: str) -> bool:
    """Every machine that is to go says that it cannot, and why."""
    found = (await client.list(VerdaMachine, NS)).items
    said = [find_condition(machine.status.conditions, "Deleting") for machine in found]
    return len(found) == len(ZONES) and all(c is not None and c.reason == reason for c in said)


async def test_nodes_come_back_with_their_addresses(
    region: dict[str, Any], client: Client, verda: Cloud
) -> None:
    faults = Faults(region)
    await build(client, region, verda)
    machines = await eventually(lambda: running(client, set()))
    assert machines is not None
    first = await on_the_wire(machines, client)
    gateway = (await client.get(VerdaPort, "web.1", NS)).status.gateway
    reserved = {slot[2] for slot in first.values()}
    total: Counter[str] = Counter()
    with KernelWatch(NETNS) as watch, doorkeeper([slot[0] for slot in first.values()]):
        assert knock(None, gateway) == "refused"
        for number in range(ROUNDS):
            machines = await recreate_all(client, faults, number)
            found = await on_the_wire(machines, client)
            answers = [knock(m.status.server_id, gateway) for m in machines.values()]
            ports = {port.id for port in await ports_of_servers(verda)}
            counts = {
                "recreations": len(ZONES),
                "withAnotherAddressMACOrPort": sum(found[zone] != first[zone] for zone in ZONES),
                "refusedClients": sum(answer != "welcome" for answer in answers),
                "leakedOrLostPorts": len(ports ^ reserved),
                "leakedServers": len(await verda.compute.servers()) - len(ZONES),
            }
            assert +Counter(counts) == {"recreations": len(ZONES)}, (found, answers, ports)
            total.update(counts)
        await evacuate(client, first)
    assert watch.duplicates == []
    assert watch.looks > ROUNDS
    await take_down(client, verda, first)
    publish({**total, "duplicateAddresses": len(watch.duplicates), "looksAtTheKernel": watch.looks})


def publish(figures: dict[str, Any]) -> None:
    figures |= {"faults": [*FAULTS], "killed": ["provider", "capi-core"]}
    print(json.dumps(figures, indent=1))
    if os.environ.get("VKS_PUBLISH"):
        about = {"machine": report.machine(), "versions": report.versions()}
        report.write("static-ip", {**about, **figures})


async def evacuate(client: Client, slots: Slots) -> None:
    """The node of the last zone goes to the first one, and its address with it."""
    *_, last = ZONES
    for zone, replicas in ((last, 0), (ZONES[0], 2)):
        body = {"spec": {"replicas": replicas}}
        await client.merge_patch(MachineDeployment, zone, NS, body)

    async def moved() -> list[VerdaMachine]:
        found = (await client.list(VerdaMachine, NS)).items
        up = [m for m in found if m.status.initialization.provisioned]
        zones = {m.spec.availability_zone for m in found}
        return up if len(up) == len(found) == len(ZONES) and last not in zones else []

    machines = {m.metadata.name: m for m in await eventually(moved)}
    plugged = await on_the_wire(machines, client)
    assert sorted(plugged.values()) == sorted(slots.values())


async def ports_of_servers(verda: Cloud) -> list[Any]:
    return [p for p in await verda.network.ports() if not p.device_owner.startswith("network:")]


async def take_down(client: Client, verda: Cloud, slots: Slots) -> None:
    """Ports outlive the last server, and go with the pool."""
    for zone in ZONES:
        await client.delete(MachineDeployment, zone, NS)

    async def no_machines() -> bool:
        return not (await client.list(VerdaMachine, NS)).items

    await eventually(no_machines)
    left = await ports_of_servers(verda)
    assert {port.id for port in left} == {slot[2] for slot in slots.values()}
    assert all(not port.device_id for port in left)
    await client.delete(VerdaPortPool, "web", NS)

    async def no_ports() -> bool:
        return not (await client.list(VerdaPort, NS)).items

    await eventually(no_ports)
    assert await ports_of_servers(verda) == []
    await client.delete(Cluster, "demo", NS)

    async def no_cluster() -> bool:
        return not (await client.list(VerdaCluster, NS)).items

    await eventually(no_cluster)
    assert await verda.network.networks() == []
