"""The objects of a cluster: the same for both providers, but for the infrastructure's kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.scale.topology import Topology
from vks.kube.objects import Resource

Body = dict[str, Any]

CLUSTERS = Resource("cluster.x-k8s.io", "v1beta2", "Cluster", "clusters")
DEPLOYMENTS = Resource("cluster.x-k8s.io", "v1beta2", "MachineDeployment", "machinedeployments")
CONTROL_PLANES = Resource(
    "controlplane.cluster.x-k8s.io", "v1beta2", "KubeadmControlPlane", "kubeadmcontrolplanes"
)
CONFIGS = Resource(
    "bootstrap.cluster.x-k8s.io", "v1beta2", "KubeadmConfigTemplate", "kubeadmconfigtemplates"
)
INFRASTRUCTURE = "infrastructure.cluster.x-k8s.io"
SECRETS = Resource("", "v1", "Secret", "secrets")
#: Without it a MachineDeployment waits for the control plane at every step of a scale-up.
SKIP_PREFLIGHT = {"machineset.cluster.x-k8s.io/skip-preflight-checks": "All"}
_PROVIDER_ID = "verda:///{region}/{{{{ds.meta_data.availability_zone}}}}/{{{{ds.meta_data.uuid}}}}"


@dataclass(frozen=True)
class Infrastructure:
    """One provider's kinds and what its objects say."""

    name: str
    cluster: Resource
    template: Resource
    machine: Resource
    cluster_body: Body
    #: By the Kubernetes version that the servers are to run.
    template_body: Callable[[str], Body]
    template_meta: Mapping[str, Any]
    registration: Body
    zones: tuple[str, ...]


def ours(region: str) -> Infrastructure:
    zones = tuple(f"{region}-{number}" for number in (1, 2, 3))
    return Infrastructure(
        name="vks",
        cluster=Resource(INFRASTRUCTURE, "v1beta1", "VerdaCluster", "verdaclusters"),
        template=Resource(
            INFRASTRUCTURE, "v1beta1", "VerdaMachineTemplate", "verdamachinetemplates"
        ),
        machine=Resource(INFRASTRUCTURE, "v1beta1", "VerdaMachine", "verdamachines"),
        cluster_body={
            "region": region,
            "identityRef": {"name": "cloud"},
            "failureDomains": {zone: {"controlPlane": True} for zone in zones},
            # Neutron lets a router have 30 routes: large clusters have an overlay network.
            "podRoutes": "Unmanaged",
        },
        template_body=lambda version: {"flavor": "small", "image": f"debian-12-k8s-{version}"},
        template_meta={},
        registration={
            "name": "{{ds.meta_data.name}}",
            "kubeletExtraArgs": [
                {"name": "cloud-provider", "value": "external"},
                {"name": "provider-id", "value": _PROVIDER_ID.format(region=region)},
            ],
        },
        zones=zones,
    )


def peer(delay: float) -> Infrastructure:
    """Upstream's DevCluster and DevMachine with the in-memory back end, the same start delays."""
    step = {"provisioning": {"startupDuration": f"{delay:g}s", "startupJitter": "0.2"}}
    backend = {name: step for name in ("vm", "node", "apiServer", "etcd")}
    return Infrastructure(
        name="in-memory",
        cluster=Resource(INFRASTRUCTURE, "v1beta2", "DevCluster", "devclusters"),
        template=Resource(INFRASTRUCTURE, "v1beta2", "DevMachineTemplate", "devmachinetemplates"),
        machine=Resource(INFRASTRUCTURE, "v1beta2", "DevMachine", "devmachines"),
        cluster_body={"backend": {"inMemory": {}}},
        template_body=lambda _: {"backend": {"inMemory": backend}},
        # Otherwise its template controller asks for a Docker daemon, for ever.
        template_meta={"annotations": {"cluster.x-k8s.io/paused": ""}},
        registration={"name": "{{ds.meta_data.local_hostname}}"},
        zones=("",),
    )


def cluster_objects(
    name: str, topology: Topology, provider: Infrastructure, version: str
) -> list[tuple[Resource, Body]]:
    """In the order in which they are to be created."""
    objects = [
        template(name, provider, version),
        # It panics on a DevCluster without any annotation.
        _object(provider.cluster, name, provider.cluster_body, annotations={"benchmark": "scale"}),
        _object(CONTROL_PLANES, name, _control_plane(name, topology, provider, version)),
        _object(
            CONFIGS,
            name,
            {
                "template": {
                    "spec": {"joinConfiguration": {"nodeRegistration": provider.registration}}
                }
            },
        ),
    ]
    counts = spread(topology.workers, len(provider.zones))
    objects += [
        deployment(name, zone, count, provider, version)
        for zone, count in zip(provider.zones, counts, strict=True)
        if count
    ]
    return [*objects, _object(CLUSTERS, name, _cluster(name, provider))]


def spread(total: int, parts: int) -> list[int]:
    """As evenly as it goes, more at the front."""
    return [total // parts + (1 if part < total % parts else 0) for part in range(parts)]


def template(name: str, provider: Infrastructure, version: str) -> tuple[Resource, Body]:
    body = {"template": {"spec": provider.template_body(version)}}
    return _object(provider.template, name, body, **provider.template_meta)


def deployment(
    cluster: str, zone: str, replicas: int, provider: Infrastructure, version: str
) -> tuple[Resource, Body]:
    name = deployment_name(cluster, zone)
    machine: Body = {
        "clusterName": cluster,
        "version": version,
        "bootstrap": {"configRef": _reference(CONFIGS, cluster)},
        "infrastructureRef": _reference(provider.template, cluster),
    }
    if zone:
        machine["failureDomain"] = zone
    spec = {
        "clusterName": cluster,
        "replicas": replicas,
        "selector": {"matchLabels": {"pool": name}},
        "rollout": {
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "10%", "maxUnavailable": 0},
            }
        },
        "template": {"metadata": {"labels": {"pool": name}}, "spec": machine},
    }
    return _object(DEPLOYMENTS, name, spec, annotations=SKIP_PREFLIGHT)


def deployment_name(cluster: str, zone: str) -> str:
    return f"{cluster}-{zone}" if zone else cluster


def _cluster(name: str, provider: Infrastructure) -> Body:
    return {
        "clusterNetwork": {
            "pods": {"cidrBlocks": ["172.16.0.0/12"]},  # a thousand nodes want a /24 each
            "services": {"cidrBlocks": ["10.96.0.0/16"]},
        },
        "controlPlaneRef": _reference(CONTROL_PLANES, name),
        "infrastructureRef": _reference(provider.cluster, name),
    }


def _control_plane(name: str, topology: Topology, provider: Infrastructure, version: str) -> Body:
    registration = {"nodeRegistration": provider.registration}
    return {
        "replicas": topology.control_planes,
        "version": version,
        "machineTemplate": {"spec": {"infrastructureRef": _reference(provider.template, name)}},
        "kubeadmConfigSpec": {
            "clusterConfiguration": {"apiServer": {"certSANs": ["localhost", "127.0.0.1"]}},
            "initConfiguration": registration,
            "joinConfiguration": registration,
        },
    }


def _reference(resource: Resource, name: str) -> Body:
    return {"apiGroup": resource.group, "kind": resource.kind, "name": name}


def _object(resource: Resource, name: str, spec: Body, **meta: Any) -> tuple[Resource, Body]:
    return resource, {"metadata": {"name": name, **meta}, "spec": spec}
