"""Reconciles LegacyNodes: observe, decide, act until it waits; in the end, out in order."""

from __future__ import annotations

from contextlib import suppress

import structlog

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet
from vks.kube.errors import NotFound
from vks.kube.finalizers import add_finalizer, remove_finalizer
from vks.kube.objects import Key
from vks.legacy.server.conditions import DELETING, NODE_CONDITIONS, SERVER_READY
from vks.legacy.server.hub import CallFailed, Hub
from vks.legacy.server.legacynode.act import Tools, act
from vks.legacy.server.legacynode.decide import decide
from vks.legacy.server.legacynode.delete import delete_in_cloud, leave_cluster, require_no_server
from vks.legacy.server.legacynode.drain import label_control_plane
from vks.legacy.server.legacynode.observation import Done, FoundEtcd, JoinEtcd, Observation, Wait
from vks.legacy.server.legacynode.status import new_status, set_conditions, status_body
from vks.legacy.server.options import HubAddress
from vks.legacy.server.release import in_charge
from vks.legacy.server.secrets import Vault
from vks.legacy.server.stores import Stores
from vks.resources.contract import READY
from vks.resources.legacycluster import RELEASED, LegacyCluster
from vks.resources.legacynode import LegacyNode, LegacyNodeStatus
from vks.runtime.clock import Clock
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError
from vks.verda.failures import after, reason_of

FIELD_MANAGER = "vks-legacynode"
FINALIZER = "legacy.vks.verda/node"
#: A node's way has fewer steps than this; more would be a decision that does not converge.
MAX_STEPS = 12

log = structlog.get_logger(__name__)


class NodeReconciler:
    def __init__(
        self,
        client: Client,
        stores: Stores,
        accounts: Accounts,
        hub: Hub,
        vault: Vault,
        address: HubAddress,
        clock: Clock,
    ) -> None:
        self._client = client
        self._stores = stores
        self._accounts = accounts
        self._hub = hub
        self._vault = vault
        self._address = address
        self._clock = clock
        self._applier = Applier(client, FIELD_MANAGER)
        self._labelled: set[str] = set()

    async def reconcile(self, key: Key) -> Result:
        node = self._stores.nodes.get(key)
        if node is None:
            return DONE
        cluster = self._stores.cluster_of(node)
        conditions = ConditionSet(
            node.status.conditions,
            NODE_CONDITIONS,
            now=self._clock.now(),
            generation=node.metadata.generation,
        )
        if node.deleting:
            return await self._delete(node, cluster, conditions)
        if cluster is None:
            conditions.set(READY, False, "WaitingForCluster", "there is no such LegacyCluster")
            return await self._publish(node, node.status, conditions, DONE)
        node = await add_finalizer(self._client, node, FINALIZER)
        if cluster.released:
            conditions.set(RELEASED, True, RELEASED)
            return await self._publish(node, node.status, conditions, DONE)
        in_charge(conditions)
        return await self._advance(self._observe(node, cluster), conditions)

    def _observe(self, node: LegacyNode, cluster: LegacyCluster) -> Observation:
        status = node.status
        session = self._hub.session(node.key)
        return Observation(
            node=node,
            cluster=cluster,
            port_id=status.port_id,
            address=status.address,
            server_id=status.server_id,
            etcd=status.etcd,
            report=session.report if session is not None else None,
            sent=session.plan if session is not None else "",
        )

    async def _advance(self, seen: Observation, conditions: ConditionSet) -> Result:
        """Take steps until one waits; whatever happens, publish how far it came. How etcd is to
        start is published before anything is done with it."""
        peers = self._stores.nodes_of(seen.cluster.key)
        end: Wait | Done = Wait(READY, "Working")
        result = DONE
        try:
            account = await self._accounts.of(seen.cluster)
            tools = Tools(account, self._hub, self._vault, self._address.url, self._address.ca)
            for _ in range(MAX_STEPS):
                step = decide(seen)
                if isinstance(step, Wait | Done):
                    end = step
                    break
                outcome = await act(step, seen, peers, tools)
                if isinstance(outcome, Wait):
                    end = outcome
                    break
                seen = outcome
                if isinstance(step, FoundEtcd | JoinEtcd):
                    end = Wait(READY, "EtcdMemberRecorded")
                    break
            else:
                raise RuntimeError(f"{seen.node.key}: more than {MAX_STEPS} steps")
            if seen.server_id:
                watch = isinstance(end, Wait) and end.watch_server
                account.poller.follow(seen.server_id, seen.node.key, waiting=watch)
            result = Result(end.poll if isinstance(end, Wait) else None)
            if isinstance(end, Done):
                await self._label(seen.node)
        except (CloudError, Waiting) as failure:
            end = Wait(SERVER_READY, *reason_of(failure))
            result = after([failure])
        except CallFailed as failure:
            end = Wait(READY, failure.reason, failure.message)
            result = Result(1.0)
        set_conditions(seen, end, conditions)
        return await self._publish(seen.node, new_status(seen), conditions, result)

    async def _label(self, node: LegacyNode) -> None:
        """Once per node and process: whoever takes the labels away gets them back at most then."""
        session = self._hub.session(node.key)
        if not node.is_control_plane or node.metadata.uid in self._labelled or session is None:
            return
        await label_control_plane(session, node.metadata.name)
        self._labelled.add(node.metadata.uid)

    async def _delete(
        self, node: LegacyNode, cluster: LegacyCluster | None, conditions: ConditionSet
    ) -> Result:
        if FINALIZER not in node.metadata.finalizers:
            return DONE
        conditions.set(READY, False, "Deleting")
        try:
            if cluster is None:
                raise Waiting("WaitingForCluster", "its LegacyCluster names the credential")
            account = await self._accounts.of(cluster)
            if cluster.released and not cluster.deleting:
                await require_no_server(node, account)
            elif not cluster.deleting and cluster.status.initialized:
                nodes = self._stores.nodes_of(cluster.key)
                await leave_cluster(node, nodes, self._hub, self._clock.now())
            await delete_in_cloud(node, account)
        except (Waiting, CloudError) as failure:
            conditions.set(DELETING, True, *reason_of(failure))
            return await self._publish(node, node.status, conditions, after([failure]))
        except CallFailed as failure:
            conditions.set(DELETING, True, failure.reason, failure.message)
            return await self._publish(node, node.status, conditions, Result(1.0))
        self._vault.forget_node(node)
        self._labelled.discard(node.metadata.uid)
        with suppress(NotFound):
            await remove_finalizer(self._client, node, FINALIZER)
        log.info("node deleted", node=str(node.key), server=node.status.server_id)
        return DONE

    async def _publish(
        self, node: LegacyNode, status: LegacyNodeStatus, conditions: ConditionSet, result: Result
    ) -> Result:
        meta = {"name": node.metadata.name, "namespace": node.metadata.namespace}
        body = {"metadata": meta, "status": status_body(status, conditions)}
        await self._applier.apply(LegacyNode, body, observed=node, subresource="status")
        return result
