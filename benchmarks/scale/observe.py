"""What becomes of the machines, from watches: when each reached which point of its life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from vks.kube.client import Client
from vks.kube.objects import Key
from vks.kube.selectors import Selection
from vks.resources.clusterapi import Machine
from vks.resources.verdamachine import VerdaMachine
from vks.runtime.informer import Change, Informer

#: From one point of a machine's life to a later one. Only ours says when a server was asked for.
STEPS = (
    ("created", "ready"),
    ("created", "bootstrap"),
    ("bootstrap", "requested"),
    ("bootstrap", "provisioned"),
    ("provisioned", "node"),
    ("node", "ready"),
)
#: Changes that come together are looked at together, after that many seconds.
_PAUSE = 0.05


@dataclass
class Life:
    """Moments on the clock of `time.monotonic`; `reached` holds the points of so far."""

    created: float
    version: str
    reached: dict[str, float] = field(default_factory=dict)

    def seconds(self, since: str, until: str) -> float | None:
        start = self.created if since == "created" else self.reached.get(since)
        end = self.reached.get(until)
        return None if start is None or end is None else end - start


class Machines:
    """The machines of a namespace. Use `run` in a task, and wait with `until`."""

    def __init__(self, client: Client, namespace: str) -> None:
        selection = Selection(namespace=namespace)
        self._namespace = namespace
        self.lives: dict[str, Life] = {}
        #: Updates of Machines seen, whoever made them.
        self.updates = 0
        self._informer = Informer(client, Machine, selection, rng=Random())
        self._informer.add_handler(self._changed)
        self._ours = Informer(client, VerdaMachine, selection, rng=Random())
        self._ours.add_handler(self._infrastructure_changed)
        self._news = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._informer.run())
            tasks.create_task(self._ours.run())

    def alive(self) -> Iterable[tuple[Machine, Life]]:
        for machine in self._informer.store.list():
            if not machine.deleting:
                yield machine, self.lives[machine.metadata.uid]

    def ready(self) -> list[Life]:
        return [life for _, life in self.alive() if "ready" in life.reached]

    def rest(self) -> int:
        """How many exist, those that are being deleted included."""
        return len(self._informer.store)

    def infrastructure(self, name: str) -> VerdaMachine | None:
        """The VerdaMachine of that name."""
        return self._ours.store.get(Key(self._namespace, name))

    async def until(self, holds: Callable[[], bool]) -> float:
        """The moment at which the condition held."""
        while not holds():
            self._news.clear()
            await self._news.wait()
            await asyncio.sleep(_PAUSE)
        return time.monotonic()

    def _changed(self, change: Change[Machine]) -> None:
        now = time.monotonic()
        machine = change.object
        life = self.lives.get(machine.metadata.uid)
        if life is None:
            life = self.lives[machine.metadata.uid] = Life(now, machine.spec.version)
        for point in points_of(machine):
            life.reached.setdefault(point, now)
        self.updates += 1
        self._news.set()

    def _infrastructure_changed(self, change: Change[VerdaMachine]) -> None:
        now = time.monotonic()
        self._news.set()
        if change.object.status.server_id is None:
            return
        for owner in change.object.metadata.owner_references:
            if (life := self.lives.get(owner.uid)) is not None:
                life.reached.setdefault("requested", now)


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


def latencies(lives: Iterable[Life]) -> dict[str, dict[str, float]]:
    """Percentiles of every step that machines have taken."""
    known = [*lives]
    found = {}
    for since, until in STEPS:
        values = [s for life in known if (s := life.seconds(since, until)) is not None]
        if values:
            found[f"{since}-{until}"] = percentiles(values)
    return found


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """p50, p90 and p99, by nearest rank; empty without values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        f"p{share}": round(ordered[max(0, -(-len(ordered) * share // 100) - 1)], 3)
        for share in (50, 90, 99)
    }
