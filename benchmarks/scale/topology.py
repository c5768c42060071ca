"""What is measured: how many clusters of which shape, and what is done to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Operation = Literal["create", "idle", "restart", "scale", "roll", "upgrade", "delete"]

OPERATIONS: tuple[Operation, ...] = (
    "create",
    "idle",
    "restart",
    "scale",
    "roll",
    "upgrade",
    "delete",
)
_SHAPE = re.compile(r"(\d+)x(\d+)\+(\d+)")


@dataclass(frozen=True)
class Topology:
    """`clusters` of `control_planes` + `workers` machines each, written `20x3+10`."""

    clusters: int
    control_planes: int
    workers: int

    @classmethod
    def parse(cls, text: str) -> Topology:
        """Raises ValueError for what is no topology."""
        found = _SHAPE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not CLUSTERSxCONTROL_PLANES+WORKERS, as in 20x3+10")
        return cls(*(int(number) for number in found.groups()))

    def __str__(self) -> str:
        return f"{self.clusters}x{self.control_planes}+{self.workers}"

    @property
    def machines(self) -> int:
        return self.clusters * (self.control_planes + self.workers)


@dataclass(frozen=True)
class Run:
    """One topology, what is done to it, and whether the peer takes its turn too."""

    topology: Topology
    operations: tuple[Operation, ...] = ("create", "delete")
    peer: bool = True


def _run(text: str, *operations: Operation, peer: bool = True) -> Run:
    return Run(Topology.parse(text), operations or ("create", "delete"), peer)


#: By `SCALE`. The peer creates only: that is what is compared. What says most comes first: a run
#: that is out of time skips the rest. Ours deletes before the peer's turn comes.
SCALES: dict[str, tuple[Run, ...]] = {
    "small": (
        _run("4x1+1"),
        _run("1x1+3", *OPERATIONS, peer=False),
    ),
    "medium": (
        _run("100x1+1"),
        _run("20x3+10"),
        _run("1x3+100"),
        _run("4x1+1"),
    ),
    "full": (
        _run("1x3+997", "create", "idle", "restart", "scale", "roll", peer=False),
        _run("20x3+10"),
        _run("100x1+1"),
        _run("4x3+50", *OPERATIONS),
        _run("1x3+500", *OPERATIONS),
        _run("1x3+997", "create", "upgrade", "delete"),
    ),
}
