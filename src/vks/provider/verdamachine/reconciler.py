"""Reconciles VerdaMachines: gates of the contract, then observe, decide, act until it waits."""

from __future__ import annotations

from contextlib import suppress

import structlog

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.conditions import ConditionSet
from vks.kube.errors import NotFound as ObjectNotFound
from vks.kube.finalizers import remove_finalizer
from vks.kube.objects import Key
from vks.provider.conditions import DELETING, MACHINE_CONDITIONS, SERVER_READY
from vks.provider.ownership import MACHINE_FINALIZER, claim, owner_grace, owner_id
from vks.provider.stores import Stores, cluster_name
from vks.provider.verdamachine.act import Blocked, act
from vks.provider.verdamachine.adoption import keeps_server, leaves_nothing, objection
from vks.provider.verdamachine.decide import NODE_STARTUP_TIMEOUT, decide
from vks.provider.verdamachine.delete import delete_all
from vks.provider.verdamachine.observation import Done, Observation, Wait
from vks.provider.verdamachine.status import new_status, set_conditions, spec_body, status_body
from vks.provider.verdaport.slots import held_by
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.contract import PAUSED, PAUSED_ANNOTATION, READY
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine, VerdaMachineStatus
from vks.resources.verdaport import VerdaPort
from vks.runtime.clock import Clock
from vks.runtime.events import Recorder
from vks.runtime.result import DONE, Result, Waiting
from vks.verda.accounts import Accounts
from vks.verda.errors import CloudError
from vks.verda.failures import after, reason_of
from vks.verda.pace import urgent

FIELD_MANAGER = "vks-verdamachine"
#: A machine's life has fewer steps than this; more would be a decision that does not converge.
MAX_STEPS = 12
#: Seconds after which a wrong flavor, image or Secret is looked for again.
BLOCKED_POLL = 10.0

log = structlog.get_logger(__name__)


class MachineReconciler:
    def __init__(
        self, client: Client, stores: Stores, accounts: Accounts, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._stores = stores
        self._accounts = accounts
        self._clock = clock
        self._recorder = recorder
        self._applier = Applier(client, FIELD_MANAGER)

    async def reconcile(self, key: Key) -> Result:
        machine = self._stores.machines.get(key)
        if machine is None:
            return DONE
        conditions = ConditionSet(
            machine.status.conditions,
            MACHINE_CONDITIONS,
            now=self._clock.now(),
            generation=machine.metadata.generation,
        )
        owner = self._stores.owner_machine(machine)
        cluster = self._stores.cluster_of(machine)
        if (owner is None or cluster is None) and not machine.deleting:
            if (left := owner_grace(machine, self._clock)) > 0:
                return Result(left)
            conditions.set(READY, False, "WaitingForOwner", "no Machine owns this object yet")
            return await self._publish(machine, machine.status, conditions, DONE)
        paused = PAUSED_ANNOTATION in machine.metadata.annotations
        if paused or (cluster is not None and cluster.spec.paused):
            conditions.set(PAUSED, True, "Paused")
            return await self._publish(machine, machine.status, conditions, DONE)
        conditions.set(PAUSED, False, "NotPaused")
        verda_cluster = self._stores.infrastructure_of(cluster)
        if machine.deleting:
            drain = cluster is not None and not cluster.deleting
            refusal = objection(machine, owner, cluster, self._peers(machine))
            if refusal is not None and MACHINE_FINALIZER in machine.metadata.finalizers:
                conditions.set(DELETING, True, refusal.reason, refusal.message)
                result = Result(refusal.poll)
                return await self._publish(machine, machine.status, conditions, result)
            return await self._delete(machine, verda_cluster, conditions, drain=drain)
        if owner is None or cluster is None or verda_cluster is None:
            conditions.set(READY, False, "WaitingForClusterInfrastructure", "no VerdaCluster yet")
            return await self._publish(machine, machine.status, conditions, DONE)
        machine = await claim(self._client, machine, MACHINE_FINALIZER)
        seen = self._observe(machine, owner, cluster, verda_cluster)
        return await self._advance(seen, conditions)

    def _observe(
        self, machine: VerdaMachine, owner: Machine, cluster: Cluster, verda: VerdaCluster
    ) -> Observation:
        status = machine.status
        slots = self._slots(machine)
        address = next((a.address for a in status.addresses if a.type == "InternalIP"), "")
        ready = next((c for c in status.conditions if c.reason == NODE_STARTUP_TIMEOUT), None)
        return Observation(
            machine=machine,
            owner_machine=owner,
            owner_cluster=cluster,
            verda_cluster=verda,
            now=self._clock.now(),
            port_id=status.port_id,
            port_ip=address,
            member_id=status.load_balancer_member_id,
            server_id=status.server_id,
            console=ready.message.partition("\n")[2] if ready else None,
            slots=slots,
            leaving=frozenset(slot.metadata.name for slot in slots if self._leaving(slot)),
            slot=held_by(slots, owner_id(machine)),
        )

    async def _advance(self, seen: Observation, conditions: ConditionSet) -> Result:
        """Take steps until one waits; whatever happens, publish how far it came."""
        machine = seen.machine
        try:
            account = await self._accounts.of(seen.verda_cluster)
            for _ in range(MAX_STEPS):
                step = decide(seen)
                if isinstance(step, Wait | Done):
                    break
                seen = await act(step, seen, account, self._client)
            else:
                raise RuntimeError(f"{machine.key}: more than {MAX_STEPS} steps")
            if seen.server_id:
                watch = isinstance(step, Wait) and step.watch_server
                account.poller.follow(
                    seen.server_id, machine.key, waiting=watch, server=seen.server
                )
            end, result = step, Result(step.poll if isinstance(step, Wait) else step.recheck)
        except Blocked as blocked:
            end = Wait(blocked.condition, blocked.reason, blocked.message)
            result = Result(BLOCKED_POLL)
        except (CloudError, Waiting) as failure:
            end = Wait(SERVER_READY if seen.port_ip else READY, *reason_of(failure))
            result = after([failure])
        conditions.observe(await self._publish_spec(machine, seen))
        set_conditions(seen, end, conditions)
        self._tell(machine, end)
        return await self._publish(machine, new_status(seen, machine.status), conditions, result)

    async def _delete(
        self,
        machine: VerdaMachine,
        cluster: VerdaCluster | None,
        conditions: ConditionSet,
        *,
        drain: bool,
    ) -> Result:
        if MACHINE_FINALIZER not in machine.metadata.finalizers:
            return DONE
        conditions.set(READY, False, "Deleting")
        try:
            if not leaves_nothing(machine, cluster):
                with urgent():
                    await self._clean_up(machine, cluster, drain=drain)
        except (Waiting, CloudError) as failure:
            conditions.set(DELETING, True, *reason_of(failure))
            return await self._publish(machine, machine.status, conditions, after([failure]))
        with suppress(ObjectNotFound):
            await remove_finalizer(self._client, machine, MACHINE_FINALIZER)
        log.info("machine deleted", machine=str(machine.key), server=machine.status.server_id)
        return DONE

    def _slots(self, machine: VerdaMachine) -> tuple[VerdaPort, ...]:
        pool = machine.spec.port_pool_ref
        if pool is None:
            return ()
        key = Key(machine.metadata.namespace, pool.name)
        return tuple(self._stores.ports.by_index("pool", str(key)))

    def _leaving(self, slot: VerdaPort) -> bool:
        """Whether the slot's holder is being deleted: itself, or its Machine, which is drained
        first."""
        claim_ = slot.spec.claim
        if claim_ is None:
            return False
        holder = self._stores.machines.get(Key(slot.metadata.namespace, claim_.name))
        if holder is None or owner_id(holder) != claim_.owner:
            return False
        machine = self._stores.owner_machine(holder)
        return holder.deleting or (machine is not None and machine.deleting)

    async def _clean_up(
        self, machine: VerdaMachine, cluster: VerdaCluster | None, *, drain: bool
    ) -> None:
        """Raises Waiting and CloudError until nothing of the machine is left in the cloud."""
        if cluster is None:
            raise Waiting("WaitingForVerdaCluster", "its VerdaCluster names the credential")
        account = await self._accounts.of(cluster)
        keep, now = keeps_server(machine), self._clock.now()
        await delete_all(
            machine, cluster, account, self._client, keep_server=keep, drain=drain, now=now
        )
        if machine.status.server_id:
            account.poller.forget(machine.status.server_id)

    def _peers(self, machine: VerdaMachine) -> list[VerdaMachine]:
        return self._stores.machines_of(machine.metadata.namespace, cluster_name(machine))

    def _tell(self, machine: VerdaMachine, end: Wait | Done) -> None:
        """An event when the machine's trouble is a new one."""
        before = next((c for c in machine.status.conditions if c.type == READY), None)
        if not isinstance(end, Wait) or (before is not None and before.reason == end.reason):
            return
        if end.reason.startswith("Waiting") or end.reason == "ServerStarting":
            return
        self._recorder.event(machine, "Warning", end.reason, end.message[:500])

    async def _publish_spec(self, machine: VerdaMachine, seen: Observation) -> int:
        """Zone and provider id, in one write; the generation of what is there then."""
        spec = spec_body(machine, seen)
        known = {
            "availabilityZone": machine.spec.availability_zone,
            "providerID": machine.spec.provider_id,
        }
        if "providerID" not in spec or all(known[name] == spec[name] for name in spec):
            return machine.metadata.generation
        meta = {"name": machine.metadata.name, "namespace": machine.metadata.namespace}
        written = await self._applier.apply(VerdaMachine, {"metadata": meta, "spec": spec})
        return machine.metadata.generation if written is None else written.metadata.generation

    async def _publish(
        self,
        machine: VerdaMachine,
        status: VerdaMachineStatus,
        conditions: ConditionSet,
        result: Result,
    ) -> Result:
        """Writes nothing that is there already, whoever wrote it and when."""
        new = status_body(status, conditions.all())
        if new == status_body(machine.status, machine.status.conditions):
            return result
        meta = {"name": machine.metadata.name, "namespace": machine.metadata.namespace}
        body = {"metadata": meta, "status": new}
        await self._applier.apply(VerdaMachine, body, observed=machine, subresource="status")
        return result
