"""Reconciles LegacyClusters: network, nodes, routes, credentials, add-ons, status."""

from __future__ import annotations

import secrets
from contextlib import suppress

import msgspec
import structlog

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet
from vks.kube.errors import AlreadyExists, NotFound
from vks.kube.finalizers import add_finalizer, remove_finalizer
from vks.kube.objects import Key, owner_reference
from vks.legacy.plan.facts import ImageMissingError, Images
from vks.legacy.plan.kubeconfigs import kubeconfig
from vks.legacy.server.conditions import (
    ADD_ONS_APPLIED,
    CLUSTER_CONDITIONS,
    DELETING,
    NETWORK_READY,
)
from vks.legacy.server.hub import CallFailed, Hub
from vks.legacy.server.legacycluster.addons import AddOns
from vks.legacy.server.legacycluster.decide import Create, Remove, decide
from vks.legacy.server.legacycluster.dns import system_objects
from vks.legacy.server.legacycluster.guests import see_off
from vks.legacy.server.legacycluster.members import RENAMING, TRUSTED, MemberWatch, settled
from vks.legacy.server.legacycluster.network import NetworkKeeper
from vks.legacy.server.legacycluster.status import new_status, set_conditions, status_body
from vks.legacy.server.legacynode.planning import cluster_facts
from vks.legacy.server.metrics import ClusterMetrics
from vks.legacy.server.release import in_charge, let_go
from vks.legacy.server.secrets import OPAQUE, Vault, secret_body
from vks.legacy.server.stores import Stores, member_session
from vks.resources.contract import CLUSTER_NAME_LABEL, READY
from vks.resources.core import Secret
from vks.resources.fields import Endpoint
from vks.resources.legacycluster import LegacyCluster, LegacyClusterStatus, kubeconfig_name
from vks.resources.legacynode import LegacyNode
from vks.runtime.clock import Clock
from vks.runtime.events import Recorder
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.errors import CloudError
from vks.verda.failures import after, reason_of

FIELD_MANAGER = "vks-legacycluster"
FINALIZER = "legacy.vks.verda/cluster"
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"

log = structlog.get_logger(__name__)


def born_behind(balancer: Endpoint, node: str) -> dict[str, object]:
    """The preparation of a control plane that comes when there is a load balancer already, which
    asks for its health without credentials: its members answer to that address, and are called
    like their nodes."""
    return {"etcdName": node, "serverNames": [balancer.host], "kubeadm": True}


class ClusterReconciler:
    def __init__(
        self,
        client: Client,
        stores: Stores,
        network: NetworkKeeper,
        hub: Hub,
        vault: Vault,
        clock: Clock,
        recorder: Recorder,
        metrics: ClusterMetrics,
    ) -> None:
        self._client = client
        self._stores = stores
        self._network = network
        self._hub = hub
        self._vault = vault
        self._clock = clock
        self._recorder = recorder
        self._metrics = metrics
        self._add_ons = AddOns(client)
        self._published: dict[str, Endpoint] = {}
        self._members = MemberWatch(clock)
        self._applier = Applier(client, FIELD_MANAGER)

    async def reconcile(self, key: Key) -> Result:
        cluster = self._stores.clusters.get(key)
        if cluster is None:
            self._metrics.forget(key)
            return DONE
        nodes = self._stores.nodes_of(key)
        conditions = ConditionSet(
            cluster.status.conditions,
            CLUSTER_CONDITIONS,
            now=self._clock.now(),
            generation=cluster.metadata.generation,
        )
        if cluster.deleting:
            return await self._delete(cluster, nodes, conditions)
        cluster = await add_finalizer(self._client, cluster, FINALIZER)
        if cluster.released:
            self._forget(cluster)
            let_go(nodes, conditions)
            return await self._publish(cluster, cluster.status, conditions, DONE)
        in_charge(conditions)
        status = new_status(cluster, nodes)
        result = DONE
        try:
            network = await self._network.ensure(cluster, nodes)
            status = msgspec.structs.replace(status, network=network)
            slots, blocked = await self._network.keep_slots(cluster, network, nodes)
            status = msgspec.structs.replace(status, slots=slots)
            await self._vault.cluster(cluster)
            await self._change_nodes(cluster, nodes)
            if not await self._publish_kubeconfig(cluster, status.endpoint):
                result = Result(RENAMING)  # until whoever has had the cluster takes theirs along
            if blocked is not None:
                raise blocked
            conditions.set(NETWORK_READY, True, "Provisioned")
        except (Waiting, CloudError) as failure:
            conditions.set(NETWORK_READY, False, *reason_of(failure))
            result = after([failure])
        if status.initialized:
            result = await self._apply_add_ons(cluster, nodes, conditions) or result
            result = await self._see_off(cluster, nodes) or result
            session = member_session(nodes, self._hub)
            members = await self._members.look(cluster, nodes, session)
            status = msgspec.structs.replace(status, etcd_members=members)
            poll = TRUSTED if settled(cluster, nodes, members) else RENAMING
            result = Result(poll) if result == DONE else result
        set_conditions(cluster, status, nodes, conditions)
        self._metrics.observe(key, status, nodes)
        return await self._publish(cluster, status, conditions, result)

    async def _see_off(self, cluster: LegacyCluster, nodes: list[LegacyNode]) -> Result | None:
        """When to look again, if a guest that leaves is still there."""
        try:
            await see_off(cluster, nodes, self._hub)
        except (Waiting, CallFailed) as failure:
            log.info("a guest leaves", cluster=str(cluster.key), waits_for=failure.message)
            return Result(1.0)
        return None

    def _forget(self, cluster: LegacyCluster) -> None:
        """What was made sure of before somebody else had the cluster."""
        self._published.pop(cluster.metadata.uid, None)
        self._network.forget(cluster)

    async def _change_nodes(self, cluster: LegacyCluster, nodes: list[LegacyNode]) -> None:
        for change in decide(cluster, nodes):
            match change:
                case Create():
                    await self._create(cluster, change)
                case Remove(node=node, reason=reason):
                    message = f"node {node.metadata.name} goes: {reason}"
                    self._recorder.event(cluster, "Normal", reason, message)
                    await self._remove(node)

    async def _create(self, cluster: LegacyCluster, change: Create) -> None:
        """The name is chosen at random: a taken one is refused, and the next look tries again.
        This process does not look again before its cache shows what was made."""
        name = f"{change.prefix}-{''.join(secrets.choice(_SUFFIX) for _ in range(5))}"
        body = {
            "metadata": {
                "name": name,
                "namespace": cluster.metadata.namespace,
                "labels": {CLUSTER_NAME_LABEL: cluster.metadata.name},
                "ownerReferences": [owner_reference(cluster, controller=True)],
            },
            "spec": {
                name: value
                for name, value in msgspec.to_builtins(change.spec).items()
                if value is not None
            },
        }
        if change.spec.role == "control-plane" and cluster.spec.endpoint is not None:
            body["spec"] |= {"preparation": born_behind(cluster.spec.endpoint, name)}
        with suppress(AlreadyExists):
            await self._client.create(LegacyNode, body, field_manager=FIELD_MANAGER)

    async def _remove(self, node: LegacyNode) -> None:
        meta = node.metadata
        await self._client.delete(LegacyNode, meta.name, meta.namespace, uid=meta.uid)

    async def _publish_kubeconfig(self, cluster: LegacyCluster, endpoint: Endpoint | None) -> bool:
        """The way in for whoever works for the cluster from outside, as Cluster API names it;
        written once per endpoint and process. False while somebody else's is in its place."""
        uid = cluster.metadata.uid
        if endpoint is None or self._published.get(uid) == endpoint:
            return True
        if await self._is_anothers(cluster):
            return False
        keys = await self._vault.cluster(cluster)
        name = cluster.metadata.name
        server = f"https://{endpoint.host}:{endpoint.port}"
        text = kubeconfig(name, server, keys.authority.certificate, keys.admin)
        body = secret_body(cluster, kubeconfig_name(name), {"value": text})
        await self._applier.apply(Secret, body)
        self._published[uid] = endpoint
        return True

    async def _is_anothers(self, cluster: LegacyCluster) -> bool:
        """Whether somebody who has had the cluster still keeps that Secret, of another type."""
        name, namespace = kubeconfig_name(cluster.metadata.name), cluster.metadata.namespace
        try:
            return (await self._client.get(Secret, name, namespace)).type != OPAQUE
        except NotFound:
            return False

    async def _apply_add_ons(
        self, cluster: LegacyCluster, nodes: list[LegacyNode], conditions: ConditionSet
    ) -> Result | None:
        """When to try again, if it has to be."""
        session = member_session(nodes, self._hub)
        if session is None:
            return None  # news of an agent wake us
        try:
            images = Images.among(session.images)
            facts = cluster_facts(cluster, nodes, await self._vault.cluster(cluster))
            system = system_objects(images.coredns, facts.dns_address)
            await self._add_ons.apply(cluster, session, system)
        except ImageMissingError as error:
            conditions.set(ADD_ONS_APPLIED, False, "ImageMissing", str(error))
            return None
        except Waiting as waiting:
            conditions.set(ADD_ONS_APPLIED, False, waiting.reason, waiting.message)
            return Result(waiting.poll)
        except CallFailed as failure:
            conditions.set(ADD_ONS_APPLIED, False, failure.reason, failure.message)
            return Result(1.0)
        conditions.set(ADD_ONS_APPLIED, True, "Applied")
        return None

    async def _delete(
        self, cluster: LegacyCluster, nodes: list[LegacyNode], conditions: ConditionSet
    ) -> Result:
        """Nodes first; they are not drained: nothing is left to go to."""
        if FINALIZER not in cluster.metadata.finalizers:
            return DONE
        conditions.set(READY, False, "Deleting")
        for node in nodes:
            if not node.deleting:
                await self._remove(node)
        try:
            if nodes:
                raise Waiting("WaitingForNodes", f"{len(nodes)} nodes left")
            if cluster.spec.release != "Everything":
                await self._network.remove(cluster)
            await self._vault.forget(cluster)
        except (Waiting, CloudError) as failure:
            conditions.set(DELETING, True, *reason_of(failure))
            return await self._publish(cluster, cluster.status, conditions, after([failure]))
        self._add_ons.forget(cluster)
        self._published.pop(cluster.metadata.uid, None)
        with suppress(NotFound):
            await remove_finalizer(self._client, cluster, FINALIZER)
        log.info("cluster deleted", cluster=str(cluster.key))
        return DONE

    async def _publish(
        self,
        cluster: LegacyCluster,
        status: LegacyClusterStatus,
        conditions: ConditionSet,
        result: Result,
    ) -> Result:
        meta = {"name": cluster.metadata.name, "namespace": cluster.metadata.namespace}
        body = {"metadata": meta, "status": status_body(status, conditions)}
        await self._applier.apply(LegacyCluster, body, observed=cluster, subresource="status")
        return result
