"""Divides namespaces among replicas: fixed slots, one Lease each.

All objects of a cluster share a namespace, so they have one slot. The hash is the one that
server-side sharding of lists and watches uses (KEP-5866), so that filtering can move to the
server one day without moving a single namespace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import structlog

from vks.kube.client import Client
from vks.kube.errors import ApiError
from vks.kube.objects import Key
from vks.runtime.clock import Clock
from vks.runtime.lease import LeaderElection, LeadershipLostError, Lease, LeaseLock

#: The label of all Leases of one group of replicas; its value is the group's name.
GROUP_LABEL = "runtime.k8s/shards"
_MEMBER_LABEL = "runtime.k8s/member"

log = structlog.get_logger(__name__)


def fnv1a_64(data: bytes) -> int:
    """The 64-bit FNV-1a hash."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def slot_of(namespace: str, slots: int) -> int:
    """The slot whose range of the hash holds the namespace."""
    return (fnv1a_64(namespace.encode()) * slots) >> 64


def assign(slots: int, members: Sequence[str]) -> dict[int, str]:
    """Which member should hold which slot: as even as can be, and with few moves when a
    member comes or goes (rendezvous hashing with bounded load). A function of its input only,
    so that all replicas agree."""
    if not members:
        return {}
    room = dict.fromkeys(members, -(-slots // len(members)))
    owners: dict[int, str] = {}
    for slot in range(slots):
        open_members = [member for member in members if room[member] > 0]
        owner = max(open_members, key=lambda m: (fnv1a_64(f"{slot}/{m}".encode()), m))
        owners[slot] = owner
        room[owner] -= 1
    return owners


@dataclass(frozen=True)
class Sharding:
    """The group of replicas and its number of slots, which must be the same in all of them.
    Times in seconds, as in `LeaderElection`."""

    namespace: str
    name: str
    slots: int = 16
    lease_duration: float = 20.0
    renew_deadline: float = 15.0
    retry_period: float = 4.0

    def lease(self, name: str) -> LeaderElection:
        """The Lease of that name with the group's times."""
        return LeaderElection(
            self.namespace, name, self.lease_duration, self.renew_deadline, self.retry_period
        )


class ShardListener:
    """What controllers do when slots come and go."""

    def __init__(
        self,
        gained: Callable[[Callable[[Key], bool]], None],
        release: Callable[[Callable[[Key], bool]], Awaitable[None]],
    ) -> None:
        self.gained = gained
        self.release = release


class Shards:
    """This replica's slots. `run` keeps them; `owns` tells whether a key is ours."""

    def __init__(
        self, client: Client, config: Sharding, *, identity: str, clock: Clock, rng: Random
    ) -> None:
        self.config = config
        self.listeners: list[ShardListener] = []
        self._client = client
        self._identity = identity
        self._clock = clock
        self._rng = rng
        self._active: set[int] = set()
        self._draining: dict[int, asyncio.Task[None]] = {}
        labels = {GROUP_LABEL: config.name}
        self._slots = [
            self._lock(f"{config.name}-slot-{slot}", labels) for slot in range(config.slots)
        ]
        self._me = self._lock(f"{config.name}-member-{identity}", labels | {_MEMBER_LABEL: "true"})
        self._members: dict[str, LeaseLock] = {}

    @property
    def active(self) -> frozenset[int]:
        """The slots that we work on."""
        return frozenset(self._active)

    def owns(self, key: Key) -> bool:
        """Whether this replica works on the key."""
        return slot_of(key.namespace, self.config.slots) in self._active

    async def run(self) -> None:
        """Claims, keeps and hands over slots until cancelled.

        Raises LeadershipLostError when a slot in use could not be renewed in time.
        """
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._round(tasks)
                await asyncio.sleep(self.config.retry_period * self._rng.uniform(0.9, 1.1))

    async def release(self) -> None:
        """Gives everything up, after the workers have ended."""
        self._active.clear()
        locks = [self._me, *self._slots]
        results = await asyncio.gather(*(lock.release() for lock in locks), return_exceptions=True)
        for result in results:
            if isinstance(result, ApiError):
                log.warning("lease not released", reason=result.reason, error=result.message)
            elif isinstance(result, BaseException):
                raise result

    async def _round(self, tasks: asyncio.TaskGroup) -> None:
        try:
            async with asyncio.timeout(self.config.retry_period * 2):
                await self._observe()
                await self._me.take()
                await asyncio.gather(*(self._keep(slot) for slot in self._kept()))
                wanted = self._wanted()
                for slot in sorted(self._active - wanted):
                    self._hand_over(slot, tasks)
                for slot in sorted(wanted - self._kept()):
                    await self._claim(slot)
        except (ApiError, TimeoutError) as error:
            log.warning("shards not renewed", error=str(error) or type(error).__name__)
        self._check()

    def _kept(self) -> set[int]:
        return self._active | self._draining.keys()

    def _wanted(self) -> set[int]:
        members = {name for name, lock in self._members.items() if not lock.vacant}
        owners = assign(self.config.slots, sorted(members | {self._identity}))
        return {slot for slot, owner in owners.items() if owner == self._identity}

    async def _observe(self) -> None:
        listed = await self._client.list(
            Lease, self.config.namespace, label_selector=f"{GROUP_LABEL}={self.config.name}"
        )
        leases: Mapping[str, Lease] = {lease.metadata.name: lease for lease in listed.items}
        for lock in (self._me, *self._slots):
            lock.observe(leases.get(lock.config.name))
        found: dict[str, LeaseLock] = {}
        for name, lease in leases.items():
            member = lease.spec.holder_identity
            if member and member != self._identity and _MEMBER_LABEL in lease.metadata.labels:
                found[member] = self._members.get(member) or self._lock(name, {})
                found[member].observe(lease)
        self._members = found

    async def _keep(self, slot: int) -> None:
        await self._slots[slot].take()

    async def _claim(self, slot: int) -> None:
        if await self._slots[slot].take():
            log.info("shard claimed", slot=slot)
            self._active.add(slot)
            for listener in self.listeners:
                listener.gained(self._in_slot(slot))

    def _hand_over(self, slot: int, tasks: asyncio.TaskGroup) -> None:
        self._active.discard(slot)
        self._draining[slot] = tasks.create_task(self._drain(slot))

    async def _drain(self, slot: int) -> None:
        for listener in self.listeners:
            await listener.release(self._in_slot(slot))
        try:
            await self._slots[slot].release()
            log.info("shard handed over", slot=slot)
        except ApiError as error:  # it expires: we do not renew it any more
            log.warning("shard not released", slot=slot, reason=error.reason)
        finally:
            del self._draining[slot]

    def _check(self) -> None:
        for slot in self._kept():
            # Others take over after lease_duration; the next round must not come too late.
            if not self._slots[slot].held:
                raise LeadershipLostError(f"shard {slot} was not renewed in time")

    def _in_slot(self, slot: int) -> Callable[[Key], bool]:
        return lambda key: slot_of(key.namespace, self.config.slots) == slot

    def _lock(self, name: str, labels: Mapping[str, str]) -> LeaseLock:
        return LeaseLock(
            self._client,
            self.config.lease(name),
            identity=self._identity,
            clock=self._clock,
            labels=labels,
        )
