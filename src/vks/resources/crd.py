"""Writes the CustomResourceDefinitions: `python -m vks.resources.crd DIRECTORY`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vks.kube.objects import KubeObject
from vks.resources.clustermigration import ClusterMigration
from vks.resources.contract import INFRASTRUCTURE_GROUP, PROVIDER_LABEL
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import ManagedCluster
from vks.resources.migrationfleet import MigrationFleet
from vks.resources.nodepool import NodePool
from vks.resources.operation import Operation
from vks.resources.project import Project
from vks.resources.schema import Schema, description_of, field_schema
from vks.resources.verdacluster import VerdaCluster, VerdaClusterTemplate
from vks.resources.verdamachine import VerdaMachine, VerdaMachineTemplate
from vks.resources.verdaport import VerdaPort, VerdaPortPool


@dataclass(frozen=True)
class Column:
    """One `kubectl get` column."""

    name: str
    path: str
    type: str = "string"


@dataclass(frozen=True)
class Definition:
    """What a CRD holds beside its schema."""

    model: type[KubeObject]
    columns: tuple[Column, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
_CLUSTER = Column("Cluster", ".metadata.labels.cluster\\.x-k8s\\.io/cluster-name")

DEFINITIONS = (
    Definition(
        VerdaCluster,
        (
            _CLUSTER,
            _READY,
            Column("Endpoint", ".spec.controlPlaneEndpoint.host"),
            Column("Network", ".status.network.networkID"),
            _AGE,
        ),
        categories=("cluster-api",),
    ),
    Definition(VerdaClusterTemplate, (_AGE,), categories=("cluster-api",)),
    Definition(
        VerdaMachine,
        (
            _CLUSTER,
            _READY,
            Column("State", ".status.serverState"),
            Column("Zone", ".spec.availabilityZone"),
            Column("ProviderID", ".spec.providerID"),
            _AGE,
        ),
        categories=("cluster-api",),
    ),
    Definition(VerdaMachineTemplate, (_AGE,), categories=("cluster-api",)),
    Definition(
        VerdaPortPool,
        (
            Column("Cluster", ".spec.clusterName"),
            _READY,
            Column("Total", ".status.total", "integer"),
            Column("Free", ".status.free", "integer"),
            _AGE,
        ),
        categories=("cluster-api",),
    ),
    Definition(
        VerdaPort,
        (
            Column("Pool", ".spec.poolRef.name"),
            Column("Address", ".status.address"),
            Column("MAC", ".status.macAddress"),
            Column("State", ".status.state"),
            Column("Holder", ".spec.claim.name"),
            _AGE,
        ),
        categories=("cluster-api",),
    ),
    Definition(
        Project,
        (Column("ProjectID", ".spec.projectID"), Column("Namespace", ".status.namespace"), _AGE),
        categories=("vks",),
    ),
    Definition(
        ManagedCluster,
        (
            Column("Phase", ".status.phase"),
            Column("Version", ".spec.version"),
            Column("Region", ".spec.region"),
            Column("Endpoint", ".status.endpoint.host"),
            _AGE,
        ),
        short_names=("mc",),
        categories=("vks",),
    ),
    Definition(
        NodePool,
        (
            Column("Cluster", ".spec.clusterName"),
            Column("Pool", ".spec.poolName"),
            Column("Desired", ".spec.replicas", "integer"),
            Column("Ready", ".status.readyReplicas", "integer"),
            _AGE,
        ),
        short_names=("np",),
        categories=("vks",),
    ),
    Definition(
        Operation,
        (
            Column("Type", ".spec.type"),
            Column("Cluster", ".spec.clusterName"),
            Column("Phase", ".status.phase"),
            Column("Progress", ".status.progress", "integer"),
            _AGE,
        ),
        short_names=("op",),
        categories=("vks",),
    ),
    Definition(
        ClusterMigration,
        (
            Column("Cluster", ".spec.clusterName"),
            Column("Phase", ".status.phase"),
            Column("Plan", ".status.plan.summary"),
            _AGE,
        ),
        categories=("vks",),
    ),
    Definition(
        MigrationFleet,
        (
            Column("Phase", ".status.phase"),
            Column("Target", ".spec.target"),
            Column("UnderWay", ".status.underWay", "integer"),
            Column("Done", ".status.done", "integer"),
            Column("Failed", ".status.failed", "integer"),
            _AGE,
        ),
        categories=("vks",),
    ),
    Definition(
        LegacyCluster,
        (
            _READY,
            Column("Version", ".spec.version"),
            Column("ControlPlanes", ".status.controlPlane.readyReplicas", "integer"),
            Column("Endpoint", ".status.endpoint.host"),
            _AGE,
        ),
        categories=("vks",),
    ),
    Definition(
        LegacyNode,
        (
            Column("Cluster", ".spec.clusterName"),
            Column("Role", ".spec.role"),
            _READY,
            Column("Zone", ".spec.zone"),
            Column("Address", ".status.address"),
            Column("Version", ".status.version"),
            _AGE,
        ),
        categories=("vks",),
    ),
)


def custom_resource_definition(definition: Definition) -> dict[str, Any]:
    """The CRD of one kind.

    Infrastructure kinds carry the label by which Cluster API finds the version that serves a
    contract: without it core answers "cannot find any versions matching contract versions".
    """
    resource = definition.model.resource
    labels = (
        {"cluster.x-k8s.io/v1beta2": resource.version, PROVIDER_LABEL: "infrastructure-verda"}
        if resource.group == INFRASTRUCTURE_GROUP
        else {}
    )
    names: dict[str, Any] = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "categories": list(definition.categories),
    }
    if definition.short_names:
        names["shortNames"] = list(definition.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}", "labels": labels},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [_version(definition)],
        },
    }


def _version(definition: Definition) -> dict[str, Any]:
    model = definition.model
    status = field_schema(model, "status")
    properties: Schema = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": field_schema(model, "spec"),
    }
    if status is not None:
        properties["status"] = status
    schema: Schema = {
        "type": "object",
        "required": ["spec"],
        "properties": properties,
    }
    description = description_of(model)
    if description:
        schema["description"] = description
    rules = getattr(model, "validations", ())
    if rules:
        schema["x-kubernetes-validations"] = [dict(rule) for rule in rules]
    return {
        "name": model.resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {} if status is None else {"status": {}},
        "additionalPrinterColumns": [
            {"name": column.name, "jsonPath": column.path, "type": column.type}
            for column in definition.columns
        ],
    }


def custom_resource_definitions() -> list[dict[str, Any]]:
    """Every CRD of this project, in a stable order."""
    return [custom_resource_definition(definition) for definition in DEFINITIONS]


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for crd in custom_resource_definitions():
        path = directory / f"{crd['metadata']['name']}.yaml"
        path.write_text(yaml.safe_dump(crd, sort_keys=False, width=100))


if __name__ == "__main__":
    main()
