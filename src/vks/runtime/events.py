"""Events about objects (events.k8s.io/v1): repeated ones are counted, floods are cut.

Recording never waits and never fails the caller: an event is a courtesy to whoever looks.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import structlog

from vks.kube.client import Client
from vks.kube.errors import ApiError
from vks.kube.objects import KubeObject, Resource
from vks.kube.times import rfc3339_micro
from vks.runtime.clock import Clock

EVENTS = Resource("events.k8s.io", "v1", "Event", "events")

#: Repetitions within this time are one event with a count.
SERIES_WINDOW = 360.0
#: A repetition is written at most this often.
_FLUSH_PERIOD = 10.0
#: client-go's spam filter: so many events about an object, then one every five minutes.
_BURST = 25
_REFILL = 300.0
_QUEUED = 1000
_TRACKED = 4096
_NOTE_LIMIT = 1024

log = structlog.get_logger(__name__)


class _Signature(NamedTuple):
    """What makes two events the same."""

    uid: str
    type: str
    reason: str
    action: str
    note: str


@dataclass
class _Series:
    name: str
    namespace: str
    body: dict[str, Any]
    last: float
    count: int = 1
    last_moment: str = ""


@dataclass
class _Bucket:
    tokens: float = _BURST
    filled_at: float = field(default=0.0)


class Recorder:
    """Records events as one controller; `run` sends them."""

    def __init__(
        self, client: Client, controller: str, *, instance: str, clock: Clock, rng: Random
    ) -> None:
        self._client = client
        self._controller = controller
        self._instance = instance
        self._clock = clock
        self._rng = rng
        self._series: OrderedDict[_Signature, _Series] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._fresh: list[_Series] = []
        self._repeats: dict[_Signature, _Series] = {}
        self._pending = asyncio.Event()

    def event(
        self, obj: KubeObject, type_: str, reason: str, note: str, *, action: str = "Reconcile"
    ) -> None:
        """`type_` is "Normal" or "Warning"; `reason` and `action` are CamelCase."""
        meta = obj.metadata
        resource = type(obj).resource
        regarding = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
        }
        self.about(regarding, type_, reason, note, action=action)

    def about(
        self, regarding: Mapping[str, str], type_: str, reason: str, note: str, *, action: str
    ) -> None:
        """As `event`, for an object of which only a reference is known."""
        note = note.encode()[:_NOTE_LIMIT].decode(errors="ignore")
        signature = _Signature(regarding["uid"], type_, reason, action, note)
        now = self._clock.monotonic()
        moment = rfc3339_micro(self._clock.now())
        known = self._series.get(signature)
        if known is not None and now - known.last < SERIES_WINDOW:
            known.count += 1
            known.last = now
            known.last_moment = moment
            self._repeats[signature] = known
            self._pending.set()
            return
        if not self._allowed(regarding["uid"], now) or len(self._fresh) >= _QUEUED:
            return
        series = self._new(regarding, signature, moment, now)
        self._series[signature] = series
        self._series.move_to_end(signature)
        if len(self._series) > _TRACKED:
            self._series.popitem(last=False)
        self._fresh.append(series)
        self._pending.set()

    async def run(self) -> None:
        """Sends what is recorded, until cancelled: new events at once, counts now and then."""
        loop = asyncio.get_running_loop()
        due: float | None = None
        while True:
            try:
                async with asyncio.timeout_at(due):
                    await self._pending.wait()
            except TimeoutError:
                due = None
                await self._send_repeats()
            self._pending.clear()
            await self._send_fresh()
            if self._repeats and due is None:
                due = loop.time() + _FLUSH_PERIOD

    async def flush(self) -> None:
        """Sends now what is recorded."""
        await self._send_fresh()
        await self._send_repeats()

    async def _send_fresh(self) -> None:
        fresh, self._fresh = self._fresh, []
        for series in fresh:
            await self._attempt(self._client.create(EVENTS, series.body))

    async def _send_repeats(self) -> None:
        repeats, self._repeats = self._repeats, {}
        for series in repeats.values():
            patch = {"series": {"count": series.count, "lastObservedTime": series.last_moment}}
            await self._attempt(
                self._client.merge_patch(EVENTS, series.name, series.namespace, patch)
            )

    @staticmethod
    async def _attempt(request: Awaitable[object]) -> None:
        """An event is not worth a second attempt, and there is nobody to tell but the log."""
        try:
            await request
        except ApiError as error:
            log.warning("event not recorded", reason=error.reason, error=error.message)

    def _allowed(self, uid: str, now: float) -> bool:
        bucket = self._buckets.setdefault(uid, _Bucket(filled_at=now))
        self._buckets.move_to_end(uid)
        if len(self._buckets) > _TRACKED:
            self._buckets.popitem(last=False)
        bucket.tokens = min(_BURST, bucket.tokens + (now - bucket.filled_at) / _REFILL)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _new(
        self, regarding: Mapping[str, str], signature: _Signature, moment: str, now: float
    ) -> _Series:
        # Events of cluster-scoped objects live in "default", as kubectl expects.
        namespace = regarding.get("namespace") or "default"
        name = f"{regarding['name'][:230]}.{self._rng.getrandbits(64):016x}"
        body = {
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": moment,
            "reportingController": self._controller,
            "reportingInstance": self._instance[:128],
            "action": signature.action,
            "reason": signature.reason,
            "regarding": dict(regarding),
            "note": signature.note,
            "type": signature.type,
        }
        return _Series(name, namespace, body, last=now)
