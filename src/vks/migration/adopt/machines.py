"""Pure: the objects by which Cluster API knows a server that it did not make.

They are made from what the control plane's and the pools' own objects say, so that nothing differs
from what is wanted and nothing is replaced. Every Machine has a hook that holds its deletion until
the server's release is recorded: whoever decides that it goes, the migration has the last word.
"""

from __future__ import annotations

from typing import Any

from vks.resources.contract import (
    BOOTSTRAP_GROUP,
    CLUSTER_NAME_LABEL,
    CONTROL_PLANE_LABEL,
    INFRASTRUCTURE_GROUP,
    OWNER_ANNOTATION,
    PRE_DRAIN_HOOK_PREFIX,
)
from vks.resources.legacynode import LegacyNode
from vks.resources.nodepool import nodepool_name
from vks.resources.verdaport import port_name

Body = dict[str, Any]

HOOK = f"{PRE_DRAIN_HOOK_PREFIX}/vks-migration"

_HASH_LABEL = "machine-template-hash"
_SET_NAME_LABEL = "cluster.x-k8s.io/set-name"
_REVISION = "machinedeployment.clusters.x-k8s.io/revision"
_LEGACY = "legacy"


def control_plane_bodies(node: LegacyNode, plane: Body) -> tuple[Body, Body, Body]:
    """KubeadmConfig, VerdaMachine and Machine of a control plane. `plane` is the
    KubeadmControlPlane as the API server has it."""
    name, cluster = node.metadata.name, node.spec.cluster_name
    labels = {
        **plane["spec"]["machineTemplate"].get("metadata", {}).get("labels", {}),
        CLUSTER_NAME_LABEL: cluster,
        CONTROL_PLANE_LABEL: "",
    }
    config = {**plane["spec"]["kubeadmConfigSpec"]}
    config.pop("initConfiguration", None)
    join = config.get("joinConfiguration", {})
    if needs_local_mode(plane["spec"]["version"]):
        configuration = config.get("clusterConfiguration", {})
        gates = {**configuration.get("featureGates", {}), "ControlPlaneKubeletLocalMode": True}
        config["clusterConfiguration"] = {**configuration, "featureGates": gates}
    config["joinConfiguration"] = {**join, "controlPlane": join.get("controlPlane", {})}
    bootstrap = {
        # Says that the bootstrap data exist; nobody will ever read them.
        "dataSecretName": f"{name}-{_LEGACY}",
        "configRef": {"apiGroup": BOOTSTRAP_GROUP, "kind": "KubeadmConfig", "name": name},
    }
    meta = {"name": name, "namespace": node.metadata.namespace, "labels": labels}
    return (
        {"metadata": meta, "spec": config},
        _verda_machine(node, labels),
        _machine(node, labels, plane["spec"]["version"], bootstrap),
    )


def needs_local_mode(version: str) -> bool:
    """Whether the control plane provider wants this feature gate in every KubeadmConfig without
    its being in the control plane's own (controlplane/kubeadm/pkg/desiredstate, v1.31 to v1.35)."""
    minor = int(version.lstrip("v").split(".")[1])
    return 31 <= minor < 36


def worker_bodies(node: LegacyNode, deployment: Body) -> tuple[Body, Body]:
    """VerdaMachine and Machine of a worker. `deployment` is its zone's MachineDeployment."""
    labels = {
        **_template_labels(deployment),
        _SET_NAME_LABEL: machine_set_name(deployment),
    }
    version = deployment["spec"]["template"]["spec"]["version"]
    bootstrap = {"dataSecretName": f"{node.metadata.name}-{_LEGACY}"}
    return _verda_machine(node, labels), _machine(node, labels, version, bootstrap)


def machine_set_name(deployment: Body) -> str:
    return f"{deployment['metadata']['name']}-{_LEGACY}"


def machine_set(deployment: Body) -> Body:
    """What the MachineDeployment takes for its own current MachineSet: its template is equal."""
    spec, labels = deployment["spec"], _template_labels(deployment)
    selector = {**spec["selector"]["matchLabels"], _HASH_LABEL: _LEGACY}
    template = {**spec["template"]}
    template["metadata"] = {**template.get("metadata", {}), "labels": labels}
    return {
        "metadata": {
            "name": machine_set_name(deployment),
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "annotations": {_REVISION: "1"},
        },
        "spec": {
            "clusterName": spec["clusterName"],
            "replicas": spec["replicas"],
            "selector": {"matchLabels": selector},
            "template": template,
        },
    }


def _template_labels(deployment: Body) -> dict[str, str]:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    return {**labels, _HASH_LABEL: _LEGACY}


def _verda_machine(node: LegacyNode, labels: dict[str, str]) -> Body:
    """No `cloned-from` annotations: without them no template is compared."""
    return {
        "metadata": {
            "name": node.metadata.name,
            "namespace": node.metadata.namespace,
            "labels": labels,
            # The server and the port carry the LegacyNode's mark.
            "annotations": {OWNER_ANNOTATION: node.metadata.uid},
        },
        "spec": {
            "flavor": node.spec.flavor,
            "image": node.spec.image,
            "availabilityZone": node.spec.zone,
            "providerID": node.status.provider_id,
            "adoptServerID": node.status.server_id,
            "adoptedServerPolicy": "Retain",
            **_port(node),
        },
    }


def _port(node: LegacyNode) -> Body:
    """The reserved address that a worker has."""
    if node.spec.slot is None or node.spec.pool is None:
        return {}
    pool = nodepool_name(node.spec.cluster_name, node.spec.pool)
    return {
        "portPoolRef": {"name": pool},
        "portRef": {"name": port_name(pool, node.spec.slot)},
    }


def _machine(node: LegacyNode, labels: dict[str, str], version: str, bootstrap: Body) -> Body:
    name = node.metadata.name
    return {
        "metadata": {
            "name": name,
            "namespace": node.metadata.namespace,
            "labels": labels,
            "annotations": {HOOK: ""},
        },
        "spec": {
            "clusterName": node.spec.cluster_name,
            "version": version,
            "failureDomain": node.spec.zone,
            "bootstrap": bootstrap,
            "infrastructureRef": {
                "apiGroup": INFRASTRUCTURE_GROUP,
                "kind": "VerdaMachine",
                "name": name,
            },
        },
    }
