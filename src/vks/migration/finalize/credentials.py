"""Cluster API's way into the cluster is a credential of its own, which it renews."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import yaml

from vks.kube.errors import NotFound
from vks.kube.times import rfc3339
from vks.migration.adopt.observe import control_plane_of
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.clusterapi import KubeadmControlPlane
from vks.resources.core import Secret
from vks.resources.legacycluster import keys_name, kubeconfig_name
from vks.runtime.result import Waiting

#: On the KubeadmControlPlane: makes its controller look.
TOUCHED = "vks.verda/touched"
POLL = 1.0


class Credentials:
    """The one that is used until now is the legacy provisioner's."""

    name = "Credentials"

    async def do(self, scope: Scope) -> None:
        name = kubeconfig_name(scope.name)
        try:
            found = await scope.client.get(Secret, name, scope.namespace)
        except NotFound:
            await _touch(scope)
            raise Waiting("WaitingForKubeconfig", "Cluster API makes another one", POLL) from None
        keys = await scope.secret(keys_name(scope.name))
        if is_of(base64.b64decode(found.data["value"]), keys):
            await scope.client.delete(Secret, name, scope.namespace, uid=found.metadata.uid)
            raise Waiting("WaitingForKubeconfig", "Cluster API makes another one", POLL)

    async def undo(self, scope: Scope) -> None:
        """Nothing: there is no way back."""


def is_of(kubeconfig: bytes, keys: Mapping[str, bytes]) -> bool:
    """Whether it shows the legacy provisioner's certificate."""
    users = yaml.safe_load(kubeconfig)["users"]
    shown = {base64.b64decode(user["user"]["client-certificate-data"]) for user in users}
    return keys["admin.crt"] in shown


async def _touch(scope: Scope) -> None:
    plane = await control_plane_of(scope)
    patch = {"metadata": {"annotations": {TOUCHED: rfc3339(scope.clock.now())}}}
    meta = plane.metadata
    await scope.client.merge_patch(
        KubeadmControlPlane, meta.name, meta.namespace, patch, field_manager=FIELD_MANAGER
    )
