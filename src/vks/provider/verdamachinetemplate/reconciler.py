"""Publishes a template's capacity and node info from its flavor and image."""

from __future__ import annotations

from typing import Any

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.objects import Key
from vks.provider.stores import Stores
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import RootVolume, VerdaMachineTemplate
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Account, Accounts
from vks.verda.compute import Flavor
from vks.verda.errors import CloudError
from vks.verda.failures import after

FIELD_MANAGER = "vks-verdamachinetemplate"
#: Seconds after which a missing flavor or cluster is looked for again.
POLL = 30.0

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class TemplateReconciler:
    def __init__(self, client: Client, stores: Stores, accounts: Accounts) -> None:
        self._stores = stores
        self._accounts = accounts
        self._applier = Applier(client, FIELD_MANAGER)

    async def reconcile(self, key: Key) -> Result:
        template = self._stores.templates.get(key)
        if template is None or template.deleting or template.status.capacity:
            return DONE
        cluster = self._cluster(template)
        if cluster is None:
            return Result(POLL)
        try:
            status = await self._status(template, await self._accounts.of(cluster))
        except (CloudError, Waiting) as failure:
            return after([failure])
        if status is None:
            return Result(POLL)
        meta = {"name": template.metadata.name, "namespace": template.metadata.namespace}
        await self._applier.apply(
            VerdaMachineTemplate,
            {"metadata": meta, "status": status},
            observed=template,
            subresource="status",
        )
        return DONE

    async def _status(
        self, template: VerdaMachineTemplate, account: Account
    ) -> dict[str, Any] | None:
        spec = template.spec.template.spec
        flavor = await account.catalogue.flavor(spec.flavor)
        image = await account.catalogue.image(spec.image)
        if flavor is None or image is None:
            return None
        return {
            "capacity": capacity(flavor, spec.root_volume),
            "nodeInfo": {
                "architecture": _ARCHITECTURES.get(image.architecture, image.architecture),
                "operatingSystem": "linux",
            },
        }

    def _cluster(self, template: VerdaMachineTemplate) -> VerdaCluster | None:
        """Through the owner that core sets, or the label that a template may carry."""
        cluster = self._stores.owner_cluster(template) or self._stores.cluster_of(template)
        return self._stores.infrastructure_of(cluster)


def capacity(flavor: Flavor, root: RootVolume | None = None) -> dict[str, str]:
    """A node's capacity as Kubernetes quantities."""
    disk = flavor.disk if root is None else root.size_gib
    return {
        "cpu": str(flavor.vcpus),
        "memory": f"{flavor.ram}Mi",
        "ephemeral-storage": f"{disk}Gi",
    }
