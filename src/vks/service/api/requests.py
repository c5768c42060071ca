"""From checked requests to specs: names become ids and defaults are written down.

What a region offers changes; a cluster must not change with it. So the spec holds the image's id
and the zones by name, even when the request left them open.
"""

from __future__ import annotations

import msgspec

from vks.resources.managedcluster import (
    BootstrapSpec,
    ClusterNetworkSpec,
    ControlPlaneSpec,
    ManagedClusterSpec,
)
from vks.resources.nodepool import NodePoolSpec
from vks.service.api import models, sshkeys
from vks.service.api.offer import Offer
from vks.service.api.pool_models import NodePoolCreate


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
        ssh_public_key=public_key(request.key_name, offer),
        provisioner=request.provisioner or "capi",
        bootstrap=bootstrap,
        deletion_protection=request.deletion_protection,
    )


def pool_image(request: NodePoolCreate, version: str, offer: Offer) -> str:
    """The id of a pool's image."""
    return _image(request.image, version, offer)


def public_key(name: str | None, offer: Offer) -> str | None:
    """The text of the caller's key pair, as specs hold it."""
    if name is None:
        return None
    pair = offer.keypair(name)
    if pair is None:
        raise ValueError("the request has not been checked")
    return sshkeys.public_key(pair)


def with_image_id(spec: NodePoolSpec, offer: Offer) -> NodePoolSpec:
    """The spec with its image by id; an image that is not offered is left for the checks."""
    image = offer.image(spec.image)
    return spec if image is None else msgspec.structs.replace(spec, image=image.id)


def with_key(before: NodePoolSpec, after: NodePoolSpec, offer: Offer) -> NodePoolSpec:
    """`after`, for which a key pair was named, with its key; one that does not exist or cannot be
    used is left for the checks. Whoever repeats the name of somebody else's keeps that key."""
    name = after.key_name
    if name is not None and name == before.key_name and offer.keypair(name) is None:
        return after
    try:
        key = public_key(name, offer)
    except ValueError:
        key = None
    return msgspec.structs.replace(after, ssh_public_key=key)


def _image(reference: str | None, version: str, offer: Offer) -> str:
    chosen = offer.image(reference) if reference is not None else offer.versions.get(version)
    if chosen is None:
        raise ValueError("the request has not been checked")
    return chosen.id
