"""From objects and secrets to the facts that a plan is made from."""

from __future__ import annotations

import msgspec

from vks.legacy.plan.build import build, introduction
from vks.legacy.plan.certificates import (
    API_SERVER,
    control_plane_certificates,
    worker_certificates,
)
from vks.legacy.plan.controlplane import API_PORT
from vks.legacy.plan.facts import ClusterFacts, Images, NodeFacts
from vks.legacy.plan.model import Plan
from vks.legacy.server.legacynode.observation import Observation
from vks.legacy.server.nodes import serving, voters
from vks.legacy.server.secrets import ClusterKeys, Vault
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode, NodePreparation


async def plan_of(seen: Observation, images: Images, peers: list[LegacyNode], vault: Vault) -> Plan:
    """Raises ApiError, Waiting."""
    return build(*await _facts(seen, images, peers, vault))


async def introduction_of(
    seen: Observation, images: Images, peers: list[LegacyNode], vault: Vault
) -> Plan:
    """Of a control plane whose sponsor lets it into etcd. Raises ApiError, Waiting."""
    return introduction(*await _facts(seen, images, peers, vault))


def sponsor_of(cluster: LegacyCluster, peers: list[LegacyNode]) -> str | None:
    """The address of a guest's etcd, where no member of our own answers."""
    if any(serving(node) for node in voters(peers)):
        return None
    planes = [g for g in cluster.spec.guests if g.is_control_plane and g.state != "Leaves"]
    return next((g.address for g in sorted(planes, key=lambda g: g.state != "Stays")), None)


async def _facts(
    seen: Observation, images: Images, peers: list[LegacyNode], vault: Vault
) -> tuple[ClusterFacts, NodeFacts]:
    keys = await vault.cluster(seen.cluster)
    facts = cluster_facts(seen.cluster, peers, keys)
    node = seen.node
    name = node.metadata.name
    wanted = (
        control_plane_certificates(facts, name, seen.address)
        if node.is_control_plane
        else worker_certificates(name, seen.address)
    )
    preparation = node.spec.preparation or NodePreparation()
    certificates = await vault.certificates(node, keys, wanted)
    if node.is_control_plane and preparation.server_names:
        server = wanted[API_SERVER]
        names = dict.fromkeys((*server.names, *preparation.server_names))
        wider = {API_SERVER: msgspec.structs.replace(server, names=tuple(names))}
        certificates |= await vault.server_certificates(node, keys, wider)
    return facts, NodeFacts(
        name=name,
        address=seen.address,
        zone=node.spec.zone,
        provider_id=seen.provider_id,
        instance_type=node.spec.flavor,
        images=images,
        certificates=certificates,
        etcd=seen.etcd,
        sponsor=sponsor_of(seen.cluster, peers),
        preparation=preparation,
    )


def cluster_facts(
    cluster: LegacyCluster, nodes: list[LegacyNode], keys: ClusterKeys
) -> ClusterFacts:
    """Nodes may use the load balancer, and the API server of every member that votes and stays and
    is not drained; before there is one, of the founder, which is what they wait for."""
    staying = [node for node in voters(nodes) if not node.deleting]
    serving = [node for node in staying if not _drained(node)] or staying
    spec = cluster.spec
    balancer = [spec.endpoint] if spec.endpoint is not None else []
    return ClusterFacts(
        name=cluster.metadata.name,
        region=spec.region,
        pod_cidr=spec.network.pod_cidr,
        service_cidr=spec.network.service_cidr,
        kube_proxy=spec.kube_proxy,
        api_servers=(
            *(f"{endpoint.host}:{endpoint.port}" for endpoint in balancer),
            *sorted(f"{node.status.address}:{API_PORT}" for node in serving),
        ),
        authority=keys.authority,
        requestheader_authority=keys.requestheader,
        service_account_key=keys.service_account,
        encryption_key=keys.encryption,
        guests=tuple(sorted(g.address for g in spec.guests if g.is_control_plane)),
    )


def _drained(node: LegacyNode) -> bool:
    preparation = node.spec.preparation
    return preparation is not None and preparation.drained
