"""The whole plan of a node."""

from __future__ import annotations

from vks.legacy.plan.controlplane import (
    api_endpoint,
    control_plane_files,
    control_plane_probes,
    control_plane_services,
)
from vks.legacy.plan.etcd import etcd_endpoint, etcd_probe, etcd_service, guest_endpoint
from vks.legacy.plan.facts import ClusterFacts, NodeFacts
from vks.legacy.plan.model import Endpoint, File, Plan
from vks.legacy.plan.units import CA, key_files, program
from vks.legacy.plan.worker import (
    node_endpoint,
    worker_files,
    worker_probes,
    worker_services,
)
from vks.resources.legacynode import EtcdMember


def build(cluster: ClusterFacts, node: NodeFacts) -> Plan:
    """Workers get no authority's key. A control plane gets etcd alone until its member votes:
    an API server on a learner would answer nothing."""
    if node.etcd is None:
        return _worker(cluster, node)
    if not node.etcd.voter:
        return _learner(cluster, node, node.etcd)
    return _control_plane(cluster, node, node.etcd)


def introduction(cluster: ClusterFacts, node: NodeFacts) -> Plan:
    """What a node needs in order to ask its sponsor to let it in; it runs nothing yet."""
    return Plan(files=tuple(_common_files(cluster, node)), endpoints=_sponsor(node))


def _sponsor(node: NodeFacts) -> dict[str, Endpoint]:
    return {"etcd": etcd_endpoint(node.sponsor) if node.sponsor else etcd_endpoint()}


def _worker(cluster: ClusterFacts, node: NodeFacts) -> Plan:
    return Plan(
        programs=(program("kube-proxy", node.images.proxy),),
        files=(*_common_files(cluster, node), *worker_files(cluster, node)),
        services=tuple(worker_services(cluster, node)),
        probes=tuple(worker_probes()),
        node=node_endpoint(node),
    )


def _learner(cluster: ClusterFacts, node: NodeFacts, member: EtcdMember) -> Plan:
    return Plan(
        programs=(program("etcd", node.images.etcd),),
        files=tuple(_common_files(cluster, node)),
        services=(etcd_service(node, member),),
        endpoints=_sponsor(node),
    )


def _control_plane(cluster: ClusterFacts, node: NodeFacts, member: EtcdMember) -> Plan:
    worker = _worker(cluster, node)
    images = node.images
    return Plan(
        programs=(
            program("etcd", images.etcd),
            program("kube-apiserver", images.apiserver),
            program("kube-controller-manager", images.controller_manager),
            program("kube-scheduler", images.scheduler),
            *worker.programs,
        ),
        files=(*worker.files, *control_plane_files(cluster, node)),
        services=(
            etcd_service(node, member),
            *control_plane_services(cluster, node),
            *worker.services,
        ),
        probes=(etcd_probe(), *control_plane_probes(), *worker.probes),
        endpoints={
            "etcd": etcd_endpoint(),
            "api": api_endpoint(),
            **{guest_endpoint(address): etcd_endpoint(address) for address in cluster.guests},
        },
        node=worker.node,
    )


def _common_files(cluster: ClusterFacts, node: NodeFacts) -> list[File]:
    pairs = [file for name, pair in node.certificates.items() for file in key_files(name, pair)]
    return [File(path=CA, content=cluster.authority.certificate), *pairs]
