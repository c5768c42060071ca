"""What there is of a region or of a cluster, counted from outside: cloud, kernel, API server."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

from openstack.connection import Connection
from tests.support.clouds import Service, ok
from tests.support.localregion import NAMESPACE, LocalRegion, until

from vks.local.fabric import Fabric
from vks.local.image import Pool
from vks.local.instance import Instance
from vks.local.platform.procfs import identity, pids_in_netns
from vks.local.servers.lxc import cgroups
from vks.resources.project import CLOUD_SECRET

#: Every kind that a cluster is made of.
_KINDS = (
    "managedclusters.vks.verda,nodepools.vks.verda,clusters.cluster.x-k8s.io,"
    "machinedeployments.cluster.x-k8s.io,machinesets.cluster.x-k8s.io,machines.cluster.x-k8s.io,"
    "kubeadmcontrolplanes.controlplane.cluster.x-k8s.io,"
    "kubeadmconfigs.bootstrap.cluster.x-k8s.io,kubeadmconfigtemplates.bootstrap.cluster.x-k8s.io,"
    "verdaclusters.infrastructure.cluster.x-k8s.io,verdamachines.infrastructure.cluster.x-k8s.io,"
    "verdamachinetemplates.infrastructure.cluster.x-k8s.io,"
    "clusterresourcesets.addons.cluster.x-k8s.io,clusterresourcesetbindings.addons.cluster.x-k8s.io"
)


#: Seconds that Kubernetes' garbage collector may take for what a deleted object owned.
_COLLECTED = 30.0


def none_of_clusters(region: LocalRegion) -> None:
    """Asserts that nothing is left of any cluster."""
    until(lambda: of_clusters(region), lambda left: left == [], within=_COLLECTED)


def of_clusters(region: LocalRegion) -> list[str]:
    """All that clusters consist of, in the cloud, in the kernel and as objects."""
    return [*_in_cloud(region.admin), *_in_kernel(region.instance), *_objects(region)]


def census(region: LocalRegion) -> Counter[str]:
    """How many there are of each kind of thing. Workers of HAProxy stay for open connections."""
    found = of_clusters(region)
    kinds = Counter(line.rpartition(" ")[0] or line.partition("/")[0] for line in found)
    del kinds["HAProxy"]
    return kinds


def _in_cloud(admin: Connection) -> list[str]:
    """Of all projects. The security group `default` is the project's own."""
    found = {
        "server": admin.compute.servers(all_projects=True),
        "server group": admin.compute.server_groups(all_projects=True),
        "port": admin.network.ports(),
        "network": admin.network.networks(),
        "router": admin.network.routers(),
        "security group": [g for g in admin.network.security_groups() if g.name != "default"],
    }
    lines = [f"{kind} {one.name or one.id}" for kind, all_ in found.items() for one in all_]
    balancers = ok(Service(admin.session, "lbaas").get("/loadbalancers?all_projects=1"))
    return lines + [f"load balancer {one['name']}" for one in balancers["loadbalancers"]]


def _in_kernel(instance: Instance) -> list[str]:
    there = asyncio.run(Fabric(instance).inventory())
    lines = [
        *(f"namespace of server {server}" for server in there.servers),
        *(f"bridge of network {network}" for network in there.networks),
        *(f"interface of port {port.id}" for port in there.ports),
        *(f"VIP {address}" for address in there.vips),
        *there.strays,
    ]
    for pid in pids_in_netns(instance.fabric_netns_path):
        if _read(pid, "cmdline").startswith(b"haproxy\0"):
            lines.append(f"HAProxy {pid}")
    groups = cgroups.names(f"{instance.fabric_netns}.", cgroups.hierarchies())
    disks = Pool(instance.cache).instance(instance.name)
    lines += [f"disk {path.name}" for path in (disks.iterdir() if disks.exists() else ())]
    return lines + [f"cgroup {name}" for name in sorted(groups)]


def _objects(region: LocalRegion) -> list[str]:
    kept = {f"secret/{CLOUD_SECRET}"}
    listed = region.kubectl("get", _KINDS, "--all-namespaces", "--output=name").split()
    more = region.kubectl("get", "secrets,configmaps", f"--namespace={NAMESPACE}", "--output=name")
    return listed + [name for name in more.split() if name not in kept]


def of_region(name: str) -> list[str]:
    """All that an instance of that name has on this machine, whether it is up or was killed."""
    instance = Instance.named(name)
    namespaces = Path("/run/netns")
    groups = cgroups.names(f"{instance.fabric_netns}.", cgroups.hierarchies())
    places = (instance.home, Pool(instance.cache).instance(name))
    mounts = Path("/proc/mounts").read_text().splitlines()
    return [
        *(str(path) for path in namespaces.glob(instance.fabric_netns)),
        *(str(path) for path in namespaces.glob(f"{instance.fabric_netns}.*")),
        *(f"cgroup {group}" for group in sorted(groups)),
        *(str(place) for place in places if place.exists()),
        *(line for line in mounts if any(f"{place}/" in line for place in places)),
        *(f"process {pid} {command}" for pid, command in _processes(instance)),
    ]


def _processes(instance: Instance) -> list[tuple[int, str]]:
    """Those that name the instance's directory in their command or environment, and those in its
    servers."""
    home = f"{instance.home}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid() or identity(int(entry)) is None:
            continue  # among others those that have ended and wait for init to notice
        pid = int(entry)
        command = _read(pid, "cmdline")
        named = any(
            part == home or part.startswith((home + b"/", b"VKS_SUPERVISED=" + home + b"/"))
            for text in (command, _read(pid, "environ"))
            for word in text.split(b"\0")
            for part in (word, word.partition(b"=")[2])
        )
        if named or f"/{instance.fabric_netns}.".encode() in _read(pid, "cgroup"):
            found.append((pid, command.replace(b"\0", b" ").decode(errors="replace")))
    return found


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
