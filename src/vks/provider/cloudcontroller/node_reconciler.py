"""Per node: labels, addresses, the taint, and the news of it on the VerdaMachine."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet, conditions_body, says
from vks.kube.errors import NotFound as ObjectNotFound
from vks.kube.objects import Key
from vks.kube.swap import swap
from vks.provider.cloudcontroller.node import (
    NODE_GRACE,
    UNINITIALIZED,
    addresses_patch,
    health_of,
    is_news,
    labels_of,
    node_patch,
)
from vks.provider.ownership import youth_left
from vks.provider.stores import Stores, cluster_name
from vks.provider.userscript import (
    node_condition,
    read_report,
    report_body,
)
from vks.resources.contract import CONTROL_PLANE_LABEL
from vks.resources.core import Node, Pod
from vks.resources.verdamachine import (
    NODE_HEALTHY,
    USER_SCRIPT,
    UserScriptStatus,
    VerdaMachine,
)
from vks.runtime.clock import Clock
from vks.runtime.clusters import ClusterSet, RemoteCluster
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError
from vks.verda.failures import after

FIELD_MANAGER = "vks-cloudcontroller"
_SEPARATOR = "/"


def node_key(cluster: Key, node: str) -> Key:
    """One key for a node of a cluster; in the cluster's namespace, for sharding."""
    return Key(cluster.namespace, f"{cluster.name}{_SEPARATOR}{node}")


def split_key(key: Key) -> tuple[Key, str]:
    cluster, _, node = key.name.partition(_SEPARATOR)
    return Key(key.namespace, cluster), node


class NodeReconciler:
    def __init__(
        self,
        client: Client,
        stores: Stores,
        accounts: Accounts,
        remotes: ClusterSet,
        clock: Clock,
    ) -> None:
        self._stores = stores
        self._accounts = accounts
        self._remotes = remotes
        self._clock = clock
        self._applier = Applier(client, FIELD_MANAGER)

    async def reconcile(self, key: Key) -> Result:
        cluster_key, name = split_key(key)
        remote = self._remotes.get(cluster_key)
        node = remote.store(Node).get(Key("", name)) if remote is not None else None
        if remote is None or node is None or node.deleting:
            return DONE
        machine = self._machine(cluster_key, node)
        if machine is None or not machine.status.addresses:
            return DONE  # told again when the machine changes
        try:
            instance_type = await self._instance_type(machine)
        except (CloudError, Waiting) as failure:
            return after([failure])
        report = read_report(node)
        await self._initialize(remote, node, machine, instance_type, report)
        await self._show_user_script(remote, node, report)
        return await self._report(machine, node, remote, report)

    async def _initialize(
        self,
        remote: RemoteCluster,
        node: Node,
        machine: VerdaMachine,
        instance_type: str,
        report: UserScriptStatus | None,
    ) -> None:
        """Addresses first: whoever is let in by the taint's removal may need them."""
        name = node.metadata.name
        patch = addresses_patch(node, machine.status.addresses)
        if patch is not None:
            await remote.client.merge_patch(Node, name, "", patch, subresource="status")
        done = report is not None and report.complete and not report.failed
        taints = frozenset({UNINITIALIZED, USER_SCRIPT} if done else {UNINITIALIZED})
        tests, ops = node_patch(node, labels_of(node.spec.provider_id, instance_type), taints)
        if ops:
            await swap(remote.client, node, ops, tests=tests)

    async def _show_user_script(
        self, remote: RemoteCluster, node: Node, report: UserScriptStatus | None
    ) -> None:
        """The node's report as a condition of it, which kubectl shows and others wait for."""
        wanted = node_condition(node, report, self._clock.now()) if report is not None else None
        if wanted is None:
            return
        body = {"metadata": {"name": node.metadata.name}, "status": {"conditions": [wanted]}}
        await remote.client.apply(Node, body, field_manager=FIELD_MANAGER, subresource="status")

    async def _report(
        self,
        machine: VerdaMachine,
        node: Node,
        remote: RemoteCluster,
        report: UserScriptStatus | None,
    ) -> Result:
        """Tell the machine how its node is: kubectl shows it, and core and the control plane
        provider look again when it changes."""
        conditions = ConditionSet(
            machine.status.conditions,
            (NODE_HEALTHY,),
            now=self._clock.now(),
            generation=machine.metadata.generation,
        )
        health = health_of(node, _control_plane_pods(machine, node, remote))
        known = conditions.get(NODE_HEALTHY)
        if report == machine.status.user_script:
            if says(known, *health):
                return DONE
            left = youth_left(node, NODE_GRACE, self._clock.now())
            if (
                known is None
                and left > 0
                and not is_news(health, control_plane=_is_control_plane(machine))
            ):
                return Result(left)
        conditions.set(NODE_HEALTHY, *health)
        meta = {"name": machine.metadata.name, "namespace": machine.metadata.namespace}
        status: dict[str, Any] = {"conditions": conditions_body(conditions.all())}
        if report is not None:
            status["userScript"] = report_body(report)
        body = {"metadata": meta, "status": status}
        with suppress(ObjectNotFound):  # it went meanwhile
            await self._applier.apply(VerdaMachine, body, observed=machine, subresource="status")
        return DONE

    async def _instance_type(self, machine: VerdaMachine) -> str:
        verda = self._stores.infrastructure_of(self._stores.cluster_of(machine))
        if verda is None:
            return machine.spec.flavor
        account = await self._accounts.of(verda)
        flavor = await account.catalogue.flavor(machine.spec.flavor)
        return flavor.name if flavor is not None else machine.spec.flavor

    def _machine(self, cluster: Key, node: Node) -> VerdaMachine | None:
        if not node.spec.provider_id:
            return None
        found = self._stores.machines.by_index("provider_id", node.spec.provider_id)
        return next(
            (
                machine
                for machine in found
                if machine.metadata.namespace == cluster.namespace
                and cluster_name(machine) == cluster.name
            ),
            None,
        )


def _control_plane_pods(
    machine: VerdaMachine, node: Node, remote: RemoteCluster
) -> list[Pod] | None:
    if not _is_control_plane(machine):
        return None
    return [pod for pod in remote.store(Pod).list() if pod.spec.node_name == node.metadata.name]


def _is_control_plane(machine: VerdaMachine) -> bool:
    return CONTROL_PLANE_LABEL in machine.metadata.labels
