"""Objects and facts for the legacy provisioner's tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from vks.kube.objects import Condition, ObjectMeta
from vks.legacy.plan.certificates import control_plane_certificates, worker_certificates
from vks.legacy.plan.facts import ClusterFacts, Images, KeyPair, NodeFacts
from vks.resources.fields import LocalReference
from vks.resources.legacycluster import (
    LegacyCluster,
    LegacyClusterSpec,
    LegacyClusterStatus,
    LegacyControlPlaneSpec,
    LegacyNetworkSpec,
    LegacyPoolSpec,
    LegacyZoneSpec,
)
from vks.resources.legacynode import EtcdMember, LegacyNode, LegacyNodeSpec, LegacyNodeStatus
from vks.resources.managedcluster import KubeProxySpec
from vks.resources.nodepool import StaticIPSpec
from vks.resources.verdacluster import NetworkStatus
from vks.resources.verdaport import SlotSpec

NAMESPACE = "p-test"
ZONES = ("z1", "z2", "z3")
VOTER = EtcdMember(initial_cluster="etcd-a=https://10.0.0.1:2380", state="new", voter=True)
LEARNER = EtcdMember(initial_cluster="etcd-a=https://10.0.0.1:2380", state="existing")
IMAGES = tuple(
    f"registry.k8s.io/{name}"
    for name in (
        "kube-apiserver:v1.36.3",
        "kube-controller-manager:v1.36.3",
        "kube-scheduler:v1.36.3",
        "kube-proxy:v1.36.3",
        "etcd:3.6.14-0",
        "coredns/coredns:v1.14.2",
        "pause:3.10.1",
    )
)


def pool(
    name: str = "default",
    image: str = "i1",
    slots: tuple[SlotSpec, ...] | None = None,
    **zones: int,
) -> LegacyPoolSpec:
    spread = zones or {"z1": 1, "z2": 1}
    return LegacyPoolSpec(
        name=name,
        flavor="small",
        image=image,
        zones=tuple(LegacyZoneSpec(name=zone, replicas=n) for zone, n in spread.items()),
        static_ip=None if slots is None else StaticIPSpec(slots=slots),
    )


def cluster(
    *pools: LegacyPoolSpec,
    replicas: int = 3,
    image: str = "i1",
    initialized: bool = True,
    zones: tuple[str, ...] = ZONES,
    **status: Any,
) -> LegacyCluster:
    return LegacyCluster(
        metadata=ObjectMeta(name="demo", namespace=NAMESPACE, uid="uid-demo", generation=1),
        spec=LegacyClusterSpec(
            region="tokyo",
            identity_ref=LocalReference(name="cloud-config"),
            version="v1.36.3",
            control_plane=LegacyControlPlaneSpec(
                replicas=replicas, flavor="medium", image=image, zones=zones
            ),
            node_pools=pools,
            network=LegacyNetworkSpec(pod_cidr="10.244.0.0/16", service_cidr="10.96.0.0/16"),
        ),
        status=LegacyClusterStatus(
            initialized=initialized, network=NetworkStatus(network_id="net"), **status
        ),
    )


def node(
    name: str,
    role: Literal["control-plane", "worker"] = "control-plane",
    *,
    zone: str = "z1",
    pool: str | None = None,
    slot: str | None = None,
    image: str = "i1",
    ready: bool = True,
    deleting: bool = False,
    etcd: EtcdMember | None = None,
    conditions: Mapping[str, str] | None = None,
    age: int = 0,
    **status: Any,
) -> LegacyNode:
    """`conditions` are types with a reason for which they are false; `age` orders by creation."""
    plane = role == "control-plane"
    false = dict(conditions or {})
    types = (
        ("Ready", "ServerReady", "AgentConnected", "ServicesHealthy", "NodeReady") if ready else ()
    )
    found = [Condition(type=t, status="True") for t in types if t not in false]
    found += [Condition(type=t, status="False", reason=reason) for t, reason in false.items()]
    return LegacyNode(
        metadata=ObjectMeta(
            name=name,
            namespace=NAMESPACE,
            uid=f"uid-{name}",
            creation_timestamp=f"2026-01-01T00:00:{age:02}Z",
            deletion_timestamp="2026-01-01T01:00:00Z" if deleting else None,
        ),
        spec=LegacyNodeSpec(
            cluster_name="demo",
            role=role,
            pool=None if plane else (pool or "default"),
            slot=slot,
            zone=zone,
            flavor="medium" if plane else "small",
            image=image,
        ),
        status=msgspec.structs.replace(
            LegacyNodeStatus(
                address=f"10.0.0.{age + 1}",
                etcd=etcd or (VOTER if plane and ready else None),
                conditions=tuple(found),
            ),
            **status,
        ),
    )


def cluster_facts(**more: Any) -> ClusterFacts:
    return ClusterFacts(
        name="demo",
        region="tokyo",
        pod_cidr="10.244.0.0/16",
        service_cidr="10.96.0.0/16",
        kube_proxy=KubeProxySpec(mode="nftables", conntrack_max_per_core=0),
        **{
            "api_servers": ("10.0.0.1:6443", "10.0.0.2:6443"),
            "authority": KeyPair("CA-CERT", "CA-KEY"),
            "requestheader_authority": KeyPair("FRONT-CERT", "FRONT-KEY"),
            "service_account_key": "SA-KEY",
            "encryption_key": "ENCRYPTION-KEY",
            **more,
        },
    )


def node_facts(name: str = "cp-a", etcd: EtcdMember | None = None) -> NodeFacts:
    address = "10.0.0.1"
    wanted = (
        worker_certificates(name, address)
        if etcd is None
        else control_plane_certificates(cluster_facts(), name, address)
    )
    return NodeFacts(
        name=name,
        address=address,
        zone="z1",
        provider_id="verda:///tokyo/z1/server-1",
        instance_type="small",
        images=Images.among(IMAGES),
        certificates={key: KeyPair(f"{key}-CERT", f"{key}-KEY") for key in wanted},
        etcd=etcd,
    )
