"""Whoever deletes a whole namespace deletes the credential with it, in no order: nothing may stay
behind in the cloud because nobody can reach it any more."""

from __future__ import annotations

from tests.apiserver.conftest import NAMESPACES
from tests.apiserver.provider.region import Region

from vks.kube.client import Client
from vks.resources.clusterapi import Cluster
from vks.resources.core import Secret
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine


async def test_deleting_the_namespace_leaves_nothing_in_the_cloud(
    running: Region, collector: None, client: Client
) -> None:
    before = await running.census()
    await running.add_cluster()
    await running.core_sees_infrastructure()
    await running.add_machine("cp-0", zone=running.under_test.zones[0], control_plane=True)
    await running.machine_is_provisioned("cp-0")
    # As core does: a Cluster stays until its infrastructure is gone.
    body = [{"op": "add", "path": "/metadata/finalizers", "value": ["test/core"]}]
    await client.json_patch(Cluster, "demo", running.namespace, body)
    await client.delete(NAMESPACES, running.namespace)
    await running.gone(VerdaMachine, "cp-0")
    await running.gone(VerdaCluster, "demo")
    await running.gone(Secret, "identity")
    assert await running.census() == before


async def test_a_credential_stays_while_any_cluster_needs_it(
    running: Region, collector: None, client: Client
) -> None:
    for name in ("one", "two"):
        await running.add_cluster(name)
        await running.core_sees_infrastructure(name)
    await client.delete(Secret, "identity", running.namespace)
    await client.delete(VerdaCluster, "one", running.namespace)
    await running.gone(VerdaCluster, "one")
    secret = await client.get(Secret, "identity", running.namespace)
    assert len(secret.metadata.finalizers) == 1
    await client.delete(VerdaCluster, "two", running.namespace)
    await running.gone(VerdaCluster, "two")
    await running.gone(Secret, "identity")
