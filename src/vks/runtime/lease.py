"""Holding a Lease: one holder at a time, judged by how long we saw nobody renew.

The holder's timestamps are never compared with our clock: as in client-go, a Lease is
expired when it has not changed for its duration while we watched, on our monotonic clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import structlog

from vks.kube.client import Client
from vks.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from vks.kube.objects import KubeObject, KubeStruct, Resource
from vks.kube.times import rfc3339_micro
from vks.runtime.clock import Clock

log = structlog.get_logger(__name__)


class LeaseSpec(KubeStruct, frozen=True):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: str | None = None
    acquire_time: str | None = None
    lease_transitions: int = 0


class Lease(KubeObject, frozen=True):
    """coordination.k8s.io/v1 Lease."""

    resource = Resource("coordination.k8s.io", "v1", "Lease", "leases")
    spec: LeaseSpec = LeaseSpec()


class LeadershipLostError(Exception):
    """Somebody else may act now: stop at once."""


@dataclass(frozen=True)
class LeaderElection:
    """Which Lease to hold, and its times in seconds: others wait `lease_duration` before they
    take over, we give up after `renew_deadline`, which must be shorter."""

    namespace: str
    name: str
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if not self.retry_period < self.renew_deadline < self.lease_duration:
            raise ValueError("retry_period < renew_deadline < lease_duration must hold")


class LeaseLock:
    """One Lease and our view of it."""

    def __init__(
        self,
        client: Client,
        config: LeaderElection,
        *,
        identity: str,
        clock: Clock,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config
        self.identity = identity
        #: Monotonic time up to which we may act; before the first success: none.
        self.held_until = float("-inf")
        self._client = client
        self._clock = clock
        self._labels = dict(labels or {})
        self._seen: Lease | None = None
        self._seen_at = float("-inf")
        #: A write of ours was cut off: it may have been stored, or be stored yet.
        self._unsure = False

    @property
    def held(self) -> bool:
        """Whether we hold the Lease, by our clock."""
        return self.remaining > 0

    @property
    def remaining(self) -> float:
        """Seconds for which we may still act; negative when the time is over."""
        return self.held_until - self._clock.monotonic()

    def observe(self, lease: Lease | None) -> None:
        """Takes note of the Lease as it is now."""
        changed = (lease and lease.metadata.resource_version) != (
            self._seen and self._seen.metadata.resource_version
        )
        if changed:
            self._seen = lease
            self._seen_at = self._clock.monotonic()

    @property
    def vacant(self) -> bool:
        """Whether nobody else holds the Lease as observed."""
        if self._seen is None or self._seen.spec.holder_identity in (None, "", self.identity):
            return True
        duration = self._seen.spec.lease_duration_seconds or self.config.lease_duration
        return self._clock.monotonic() >= self._seen_at + duration

    async def refresh(self) -> None:
        """Reads the Lease. Raises ApiError."""
        try:
            lease = await self._client.get(Lease, self.config.name, self.config.namespace)
        except NotFound:
            self.observe(None)
        else:
            self.observe(lease)

    async def take(self) -> bool:
        """Acquires or renews; False when another one holds it or was faster. Raises ApiError
        when the server cannot say."""
        if not self.vacant:
            return False
        started = self._clock.monotonic()
        self._unsure = True
        try:
            lease = await self._write()
        except (Conflict, AlreadyExists, NotFound):
            self._unsure = False
            await self.refresh()  # decide again on what it is now
            return False
        self._unsure = False
        self.observe(lease)
        # Counted from before the request: the server may have stored it at once.
        self.held_until = started + self.config.renew_deadline
        return True

    async def release(self) -> None:
        """Gives the Lease up, so that nobody has to wait. Raises ApiError."""
        self.held_until = float("-inf")
        if self._unsure:
            await self.refresh()
        while self._seen is not None and self._seen.spec.holder_identity == self.identity:
            try:
                self.observe(await self._patch({"holderIdentity": "", "leaseDurationSeconds": 1}))
            except (Conflict, NotFound):
                # Gone, another's, or a renewal of ours that was cut off has been stored since.
                await self.refresh()

    async def _write(self) -> Lease:
        now = rfc3339_micro(self._clock.now())
        spec: dict[str, Any] = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self.config.lease_duration)),
            "renewTime": now,
        }
        if self._seen is None:
            metadata = {
                "name": self.config.name,
                "namespace": self.config.namespace,
                "labels": self._labels,
            }
            spec |= {"acquireTime": now, "leaseTransitions": 0}
            return await self._client.create(Lease, {"metadata": metadata, "spec": spec})
        if self._seen.spec.holder_identity != self.identity:
            transitions = self._seen.spec.lease_transitions + 1
            spec |= {"acquireTime": now, "leaseTransitions": transitions}
        return await self._patch(spec)

    async def _patch(self, spec: Mapping[str, Any]) -> Lease:
        assert self._seen is not None  # noqa: S101 - callers check
        version = self._seen.metadata.resource_version
        return await self._client.merge_patch(
            Lease,
            self.config.name,
            self.config.namespace,
            {"metadata": {"resourceVersion": version}, "spec": spec},
        )


class Elector:
    """Becomes the holder, and stays it until it cannot."""

    def __init__(self, lock: LeaseLock, *, rng: Random) -> None:
        self.lock = lock
        self._rng = rng

    async def acquire(self) -> None:
        """Returns as the holder."""
        waiting = False
        while True:
            try:
                await self.lock.refresh()
                if await self.lock.take():
                    log.info("became leader", lease=self.lock.config.name)
                    return
            except ApiError as error:
                log.warning("leader election", reason=error.reason, error=error.message)
            if not waiting:
                log.info("waiting for leadership", lease=self.lock.config.name)
                waiting = True
            # Jitter, so that candidates do not all ask at the same moment.
            await asyncio.sleep(self.lock.config.retry_period * self._rng.uniform(1.0, 1.2))

    async def hold(self) -> None:
        """Renews until it fails. Raises LeadershipLostError, in time before anyone else may
        become the holder."""
        config = self.lock.config
        while True:
            await asyncio.sleep(min(config.retry_period, max(0.0, self.lock.remaining)))
            try:
                async with asyncio.timeout(self.lock.remaining):
                    await self._renew()
            except TimeoutError as error:
                raise LeadershipLostError(
                    f"lease {config.name} not renewed within {config.renew_deadline:g} s"
                ) from error

    async def _renew(self) -> None:
        try:
            renewed = await self.lock.take()
        except ApiError as error:
            log.warning("lease not renewed", reason=error.reason, error=error.message)
            return
        if not renewed and not self.lock.vacant:
            raise LeadershipLostError(f"lease {self.lock.config.name} was taken over")
