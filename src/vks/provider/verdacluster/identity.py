"""Phase: the credential's Secret stays as long as something in the cloud needs it to go.

Whoever deletes a whole namespace deletes its Secrets before its machines have ended. Each cluster
that uses the Secret has a finalizer of its own on it.
"""

from __future__ import annotations

from contextlib import suppress

from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.kube.finalizers import add_finalizer, remove_finalizer
from vks.provider.ownership import CLUSTER_FINALIZER, owner_id
from vks.resources.core import Secret
from vks.resources.verdacluster import VerdaCluster


async def keep_identity(client: Client, cluster: VerdaCluster) -> None:
    """Holds the Secret. Raises Conflict when another one changed it meanwhile."""
    with suppress(NotFound):  # whoever needs the account says so
        secret = await _read(client, cluster)
        if not secret.deleting:  # it would be refused
            await add_finalizer(client, secret, _finalizer(cluster))


async def let_go_of_identity(client: Client, cluster: VerdaCluster) -> None:
    """Lets the Secret go. Raises Conflict when another one changed it meanwhile."""
    with suppress(NotFound):
        await remove_finalizer(client, await _read(client, cluster), _finalizer(cluster))


async def _read(client: Client, cluster: VerdaCluster) -> Secret:
    return await client.get(Secret, cluster.spec.identity_ref.name, cluster.metadata.namespace)


def _finalizer(cluster: VerdaCluster) -> str:
    return f"{CLUSTER_FINALIZER}/{owner_id(cluster)}"
