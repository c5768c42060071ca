"""From objects and secrets to the facts that a plan is made from."""

from __future__ import annotations

from vks.legacy.plan.build import build
from vks.legacy.plan.certificates import control_plane_certificates, worker_certificates
from vks.legacy.plan.facts import ClusterFacts, Images, NodeFacts
from vks.legacy.plan.model import Plan
from vks.legacy.server.legacynode.observation import Observation
from vks.legacy.server.nodes import voters
from vks.legacy.server.secrets import ClusterKeys, Vault
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode


async def plan_of(seen: Observation, images: Images, peers: list[LegacyNode], vault: Vault) -> Plan:
    """Raises ApiError, Waiting."""
    keys = await vault.cluster(seen.cluster)
    facts = cluster_facts(seen.cluster, peers, keys)
    node = seen.node
    name = node.metadata.name
    wanted = (
        control_plane_certificates(facts, name, seen.address)
        if node.is_control_plane
        else worker_certificates(name, seen.address)
    )
    return build(
        facts,
        NodeFacts(
            name=name,
            address=seen.address,
            zone=node.spec.zone,
            provider_id=seen.provider_id,
            instance_type=node.spec.flavor,
            images=images,
            certificates=await vault.certificates(node, keys, wanted),
            etcd=seen.etcd,
        ),
    )


def cluster_facts(
    cluster: LegacyCluster, nodes: list[LegacyNode], keys: ClusterKeys
) -> ClusterFacts:
    """Nodes may use the API server of every member that votes and stays; before there is one, of
    the founder, which is what they wait for."""
    serving = [node for node in voters(nodes) if not node.deleting]
    spec = cluster.spec
    return ClusterFacts(
        name=cluster.metadata.name,
        region=spec.region,
        pod_cidr=spec.network.pod_cidr,
        service_cidr=spec.network.service_cidr,
        kube_proxy=spec.kube_proxy,
        control_planes=tuple(sorted(node.status.address for node in serving)),
        authority=keys.authority,
        requestheader_authority=keys.requestheader,
        service_account_key=keys.service_account,
        encryption_key=keys.encryption,
    )
