"""From checked requests to specs: names become ids and defaults are written down.

What a region offers changes; a cluster must not change with it. So the spec holds the image's id
and the zones by name, even when the request left them open.
"""

from __future__ import annotations

from vks.resources.fields import Taint
from vks.resources.managedcluster import (
    BootstrapSpec,
    ClusterNetworkSpec,
    ControlPlaneSpec,
    ManagedClusterSpec,
)
from vks.resources.nodepool import NodePoolSpec
from vks.service.api import models
from vks.service.api.validation import Offer


def cluster_spec(
    request: models.ClusterCreate, offer: Offer, bootstrap: BootstrapSpec
) -> ManagedClusterSpec:
    plane, network = request.control_plane, request.network
    return ManagedClusterSpec(
        region=request.region,
        version=request.version,
        control_plane=ControlPlaneSpec(
            replicas=plane.replicas,
            flavor=plane.flavor,
            image=_image(plane.image, request.version, offer),
            zones=tuple(plane.zones) or offer.zones,
        ),
        network=ClusterNetworkSpec(
            network_id=network.network_id,
            pod_cidr=network.pod_cidr,
            service_cidr=network.service_cidr,
            cni=network.cni,
        ),
        key_name=request.key_name,
        provisioner=request.provisioner or "capi",
        bootstrap=bootstrap,
    )


def pool_spec(
    cluster: str, request: models.NodePoolCreate, version: str, offer: Offer
) -> NodePoolSpec:
    return NodePoolSpec(
        cluster_name=cluster,
        pool_name=request.name,
        replicas=request.replicas,
        flavor=request.flavor,
        image=_image(request.image, version, offer),
        zones=tuple(request.zones) or offer.zones,
        labels=request.labels,
        taints=tuple(taint(t) for t in request.taints),
    )


def taint(request: models.Taint) -> Taint:
    return Taint(key=request.key, value=request.value, effect=request.effect)


def _image(reference: str | None, version: str, offer: Offer) -> str:
    chosen = offer.image(reference) if reference is not None else offer.versions.get(version)
    if chosen is None:
        raise ValueError("the request has not been checked")
    return chosen.id
