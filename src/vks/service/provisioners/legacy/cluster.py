"""A cluster of the legacy provisioner: one LegacyCluster with all its pools, and its add-ons."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import yaml

from vks.resources.core import ConfigMap
from vks.resources.fields import Endpoint
from vks.resources.legacycluster import API_PROXY_PORT, LegacyCluster
from vks.resources.managedcluster import ManagedCluster
from vks.resources.nodepool import NodePool
from vks.resources.project import CLOUD_SECRET
from vks.service.applying import plain
from vks.service.names import addons_name
from vks.service.nodepool.zones import wanted
from vks.service.provisioners.capi.addons.cni import cni_objects
from vks.service.provisioners.capi.bootstrap import bootstrap_of
from vks.service.provisioners.capi.manifest import Body, Manifest, metadata, owned

#: Every node has its own way to the API.
_API = Endpoint(host="127.0.0.1", port=API_PROXY_PORT)


def legacy_manifests(
    cluster: ManagedCluster,
    pools: Iterable[NodePool],
    present: LegacyCluster | None,
    *,
    pause_control_plane: bool = False,
    paused_pools: Collection[str] = (),
) -> list[Manifest]:
    """In the order in which they are to be applied. Pools stay spread as they are in `present`;
    those that are being deleted are left out. What is paused replaces no node."""
    add_ons = _add_ons(cluster)
    kept = [pool for pool in pools if not pool.deleting]
    control_plane = cluster.spec.control_plane
    network = cluster.spec.network
    spec: dict[str, Any] = {
        "region": cluster.spec.region,
        "identityRef": {"name": CLOUD_SECRET},
        "version": cluster.spec.version,
        "controlPlane": plain(control_plane)
        | _key(cluster.spec.ssh_public_key)
        | _paused(pause_control_plane),
        "nodePools": [
            _pool(cluster, pool, _spread(pool, present))
            | _paused(pool.spec.pool_name in paused_pools)
            for pool in kept
        ],
        "network": {"podCIDR": network.pod_cidr, "serviceCIDR": network.service_cidr},
        "kubeProxy": plain(bootstrap_of(cluster).kube_proxy),
    }
    if network.network_id is not None:
        spec["network"]["networkID"] = network.network_id
    if add_ons:
        spec["addOns"] = {"name": addons_name(cluster.metadata.name)}
    body = {"metadata": metadata(cluster, cluster.metadata.name), "spec": spec}
    return [*add_ons, Manifest(LegacyCluster, owned(body, cluster))]


def _spread(pool: NodePool, present: LegacyCluster | None) -> dict[str, int]:
    """Replicas per zone of the pool."""
    pools = present.spec.node_pools if present is not None else ()
    current = {
        zone.name: zone.replicas
        for known in pools
        if known.name == pool.spec.pool_name
        for zone in known.zones
    }
    return wanted(pool.spec, current)


def _key(ssh_public_key: str | None) -> Body:
    return {} if ssh_public_key is None else {"sshPublicKey": ssh_public_key}


def _paused(paused: bool) -> Body:
    return {"paused": True} if paused else {}


def _pool(cluster: ManagedCluster, pool: NodePool, spread: dict[str, int]) -> Body:
    zones = [{"name": zone, "replicas": count} for zone, count in sorted(spread.items())]
    return {
        "name": pool.spec.pool_name,
        "flavor": pool.spec.flavor,
        "image": pool.spec.image,
        "zones": [zone for zone in zones if zone["name"] in pool.spec.zones],
        **_key(pool.spec.ssh_public_key or cluster.spec.ssh_public_key),
        **({} if pool.spec.version is None else {"version": pool.spec.version}),
        **({} if pool.spec.static_ip is None else {"staticIP": plain(pool.spec.static_ip)}),
    }


def _add_ons(cluster: ManagedCluster) -> list[Manifest]:
    """The same pod network as everywhere."""
    if cluster.spec.network.cni == "none":
        return []
    objects = cni_objects(bootstrap_of(cluster).cni_image, _API)
    body = {
        "metadata": metadata(cluster, addons_name(cluster.metadata.name)),
        "data": {"vks-cni.yaml": yaml.safe_dump_all(objects, sort_keys=True)},
    }
    return [Manifest(ConfigMap, owned(body, cluster))]
