"""What outlived the legacy nodes goes with the Cluster from now on, and with nothing else."""

from __future__ import annotations

from vks.migration.adopt.observe import selector
from vks.migration.adopt.rendered import deployments_of
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.clusterapi import Cluster, MachineDeployment
from vks.resources.core import Secret
from vks.resources.legacycluster import GROUP, authority_name
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdaport import VerdaPort


class OwnForGood:
    """From here on deleting the cluster deletes all of it."""

    name = "OwnForGood"

    async def do(self, scope: Scope) -> None:
        client, name, namespace = scope.client, scope.name, scope.namespace
        await _inherit_authority(scope)
        patch = {"spec": {"deletionPolicy": "Delete"}}
        await client.merge_patch(VerdaCluster, name, namespace, patch, field_manager=FIELD_MANAGER)
        for port in (await client.list(VerdaPort, namespace, label_selector=selector(scope))).items:
            own = port.metadata.name
            await client.merge_patch(VerdaPort, own, namespace, patch, field_manager=FIELD_MANAGER)
        for deployment in (await deployments_of(client, scope.cluster.key)).values():
            if deployment["spec"].get("rollout", {}).get("after"):
                forget = {"spec": {"rollout": {"after": None}}}
                name = deployment["metadata"]["name"]
                await client.merge_patch(MachineDeployment, name, namespace, forget)

    async def undo(self, scope: Scope) -> None:
        """Nothing: there is no way back."""


async def _inherit_authority(scope: Scope) -> None:
    """The Secret has been the legacy provisioner's, and would be collected with its cluster."""
    client, name = scope.client, authority_name(scope.name)
    root = await client.get(Cluster, scope.name, scope.namespace)
    secret = await client.get(Secret, name, scope.namespace)
    owners = [
        {"apiVersion": ref.api_version, "kind": ref.kind, "name": ref.name, "uid": ref.uid}
        for ref in secret.metadata.owner_references
        if not ref.api_version.startswith(f"{GROUP}/") and ref.uid != root.metadata.uid
    ]
    own = {"apiVersion": Cluster.resource.api_version, "kind": "Cluster"}
    owners.append({**own, "name": root.metadata.name, "uid": root.metadata.uid})
    meta = {"resourceVersion": secret.metadata.resource_version, "ownerReferences": owners}
    await client.merge_patch(
        Secret, name, scope.namespace, {"metadata": meta}, field_manager=FIELD_MANAGER
    )
