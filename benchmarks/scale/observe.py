"""What becomes of the machines, from a watch: when each reached which point of its life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from vks.kube.client import Client
from vks.kube.selectors import Selection
from vks.resources.clusterapi import Machine
from vks.runtime.informer import Change, Informer

#: The points of a machine's life, in their order.
POINTS = ("bootstrap", "provisioned", "node", "ready")


@dataclass
class Life:
    """Moments on the clock of `time.monotonic`; `reached` holds the POINTS of so far."""

    created: float
    version: str
    infrastructure: str  # name of the template
    reached: dict[str, float] = field(default_factory=dict)
    gone: float | None = None

    def seconds(self, since: str, until: str) -> float | None:
        start = self.created if since == "created" else self.reached.get(since)
        end = self.reached.get(until)
        return None if start is None or end is None else end - start


class Machines:
    """The machines of a namespace. Use `run` in a task, and wait with `until`."""

    def __init__(self, client: Client, namespace: str) -> None:
        selection = Selection(namespace=namespace)
        self.lives: dict[str, Life] = {}
        #: Updates of Machines seen, whoever made them.
        self.updates = 0
        self._informer = Informer(client, Machine, selection, rng=Random())
        self._informer.add_handler(self._changed)
        self._news = asyncio.Event()

    async def run(self) -> None:
        await self._informer.run()

    def alive(self) -> Iterable[tuple[Machine, Life]]:
        for machine in self._informer.store.list():
            if not machine.deleting:
                yield machine, self.lives[machine.metadata.uid]

    def ready(self) -> list[Life]:
        return [life for _, life in self.alive() if "ready" in life.reached]

    def rest(self) -> int:
        """How many exist, those that are being deleted included."""
        return len(self._informer.store.list())

    async def until(self, holds: Callable[[], bool], seconds: float) -> float:
        """The moment at which the condition held. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not holds():
                self._news.clear()
                await self._news.wait()
        return time.monotonic()

    def _changed(self, change: Change[Machine]) -> None:
        now = time.monotonic()
        machine = change.object
        life = self.lives.get(machine.metadata.uid)
        if life is None:
            template = machine.spec.infrastructure_ref.name
            life = Life(now, machine.spec.version, template)
            self.lives[machine.metadata.uid] = life
        for point in points_of(machine):
            life.reached.setdefault(point, now)
        if change.new is None:
            life.gone = now
        self.updates += 1
        self._news.set()


def points_of(machine: Machine) -> Iterable[str]:
    """What the machine has reached."""
    if machine.spec.bootstrap.data_secret_name is not None:
        yield "bootstrap"
    if machine.spec.provider_id:
        yield "provisioned"
    if machine.status.node_ref is not None:
        yield "node"
    if any(c.type == "Ready" and c.status == "True" for c in machine.status.conditions):
        yield "ready"


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """p50, p90 and p99, by nearest rank; empty without values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        f"p{share}": round(ordered[max(0, -(-len(ordered) * share // 100) - 1)], 3)
        for share in (50, 90, 99)
    }
