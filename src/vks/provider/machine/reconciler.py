"""Reconciles the provider's part of Machines, per VerdaMachine."""

from __future__ import annotations

from contextlib import suppress

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet, conditions_body
from vks.kube.errors import NotFound as ObjectNotFound
from vks.kube.objects import Key
from vks.provider.machine.farewell import DRAIN, HOOK, Seen, Step, decide, place_hook
from vks.provider.machine.health import is_news, server_health
from vks.provider.stores import Stores
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.contract import SERVER_HEALTHY
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.clock import Clock
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError
from vks.verda.failures import after
from vks.verda.loadbalancer import Member
from vks.verda.pace import urgent

FIELD_MANAGER = "vks-machine"
#: LBaaS has no watch.
POLL = 0.5


class MachineAnnotator:
    def __init__(self, client: Client, stores: Stores, accounts: Accounts, clock: Clock) -> None:
        self._client = client
        self._stores = stores
        self._accounts = accounts
        self._clock = clock
        self._applier = Applier(client, FIELD_MANAGER)
        self._draining_since: dict[Key, float] = {}

    async def reconcile(self, key: Key) -> Result:
        verda_machine = self._stores.machines.get(key)
        machine = self._stores.owner_machine(verda_machine) if verda_machine is not None else None
        if verda_machine is None or machine is None:
            self._draining_since.pop(key, None)
            return DONE
        cluster = self._stores.cluster_of(machine)
        if cluster is None or cluster.spec.paused:
            return DONE
        if machine.deleting:
            with urgent():
                return await self._take_leave(machine, verda_machine, cluster)
        registered = verda_machine.status.load_balancer_member_id is not None
        if place_hook(machine, registered=registered):
            await self._annotate(machine, "")
        await self._report(machine, verda_machine)
        return DONE

    async def _report(self, machine: Machine, verda_machine: VerdaMachine) -> None:
        health = server_health(verda_machine)
        if health is None:
            return
        conditions = ConditionSet(
            machine.status.conditions,
            (SERVER_HEALTHY,),
            now=self._clock.now(),
            generation=machine.metadata.generation,
        )
        known = conditions.get(SERVER_HEALTHY)
        if not is_news(known, health):
            return
        conditions.set(SERVER_HEALTHY, *health)
        meta = {"name": machine.metadata.name, "namespace": machine.metadata.namespace}
        body = {"metadata": meta, "status": {"conditions": conditions_body(conditions.all())}}
        with suppress(ObjectNotFound):  # it went meanwhile
            await self._applier.apply(Machine, body, observed=machine, subresource="status")

    async def _take_leave(
        self, machine: Machine, verda_machine: VerdaMachine, cluster: Cluster
    ) -> Result:
        """One step; the next one follows when it is done."""
        if HOOK not in machine.metadata.annotations:
            return DONE
        verda = self._stores.infrastructure_of(cluster)
        if verda is None or cluster.deleting:
            await self._annotate(machine, None)
            return DONE
        pool_id = verda.status.load_balancer.pool_id
        try:
            balancers = (await self._accounts.of(verda)).cloud.loadbalancer
            balancer = await balancers.find_load_balancer(verda.status.load_balancer.id)
            members = await balancers.members(pool_id) if balancer is not None else []
            member = next((m for m in members if _is_of(m, verda_machine)), None)
            seen = Seen(
                machine=machine,
                serving=verda_machine.status.server_state == "ACTIVE",
                member=member,
                busy=balancer is not None and balancer.status != "ACTIVE",
                draining_for=self._draining_for(verda_machine.key, member),
            )
            step = decide(seen)
            if member is not None and step is Step.DRAIN_MEMBER:
                await balancers.set_member_state(pool_id, member.id, "DRAINING")
                return Result(DRAIN)
            if member is not None and step is Step.CLOSE_CONNECTIONS:
                await balancers.set_member_state(pool_id, member.id, "DISABLED")
        except (CloudError, Waiting) as failure:
            return after([failure])
        if step is Step.REMOVE_HOOK:
            await self._annotate(machine, None)
            return DONE
        return Result(POLL)

    def _draining_for(self, key: Key, member: Member | None) -> float:
        """Counts from when this process first saw it: one that was restarted waits once more."""
        if member is None or member.admin_state != "DRAINING":
            self._draining_since.pop(key, None)
            return 0.0
        now = self._clock.monotonic()
        return now - self._draining_since.setdefault(key, now)

    async def _annotate(self, machine: Machine, value: str | None) -> None:
        """Sets the hook, or takes it away."""
        patch = {"metadata": {"uid": machine.metadata.uid, "annotations": {HOOK: value}}}
        meta = machine.metadata
        with suppress(ObjectNotFound):
            await self._client.merge_patch(
                Machine, meta.name, meta.namespace, patch, field_manager=FIELD_MANAGER
            )


def _is_of(member: Member, machine: VerdaMachine) -> bool:
    recorded = machine.status.load_balancer_member_id == member.id
    return recorded or member.name == machine.metadata.name
