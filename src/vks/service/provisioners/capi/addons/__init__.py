"""What every cluster gets from VKS inside itself, applied by Cluster API's ClusterResourceSets."""

from __future__ import annotations

import yaml

from vks.resources.clusterapi import ClusterResourceSet
from vks.resources.core import ConfigMap
from vks.resources.fields import Endpoint
from vks.resources.managedcluster import ManagedCluster
from vks.service.names import CLUSTER_LABEL, addons_name
from vks.service.provisioners.capi.addons.cni import cni_objects
from vks.service.provisioners.capi.bootstrap import bootstrap_of
from vks.service.provisioners.capi.manifest import Manifest, metadata, owned


def addon_manifests(cluster: ManagedCluster, endpoint: Endpoint) -> list[Manifest]:
    """The ConfigMap and the ClusterResourceSet; nothing when the cluster wants no add-on."""
    if cluster.spec.network.cni == "none":
        return []
    name = addons_name(cluster.metadata.name)
    objects = cni_objects(bootstrap_of(cluster).cni_image, endpoint)
    content = {
        "metadata": metadata(cluster, name),
        "data": {"vks-cni.yaml": yaml.safe_dump_all(objects, sort_keys=True)},
    }
    resource_set = {
        "metadata": metadata(cluster, name),
        "spec": {
            "strategy": "Reconcile",
            "clusterSelector": {"matchLabels": {CLUSTER_LABEL: cluster.metadata.name}},
            "resources": [{"kind": "ConfigMap", "name": name}],
        },
    }
    return [
        Manifest(ConfigMap, owned(content, cluster)),
        Manifest(ClusterResourceSet, owned(resource_set, cluster)),
    ]
