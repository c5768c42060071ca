"""What the supervisor is told to run, and what it says about it. Pure data, JSON on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec


class PlanError(ValueError):
    """The plan cannot be run: a name is used twice or a dependency is missing or circular."""


class HttpProbe(msgspec.Struct, frozen=True, kw_only=True, tag="http", forbid_unknown_fields=True):
    """Ready once GET answers 2xx. With `tls`, certificates are checked against `ca_file`."""

    port: int
    path: str = "/"
    tls: bool = False
    ca_file: str = ""
    host: str = "127.0.0.1"


class TcpProbe(msgspec.Struct, frozen=True, kw_only=True, tag="tcp", forbid_unknown_fields=True):
    """Ready once a connection is accepted."""

    port: int
    host: str = "127.0.0.1"


class UnixProbe(msgspec.Struct, frozen=True, kw_only=True, tag="unix", forbid_unknown_fields=True):
    """Ready once a connection to the Unix socket is accepted."""

    path: str


Probe = HttpProbe | TcpProbe | UnixProbe


class Process(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One program to keep running; a `one_shot` has to succeed once instead.

    `env` is the whole environment: nothing is inherited from the shell that said `vks up`.
    `netns` is the path of a network namespace, empty for the host's own.
    `inputs` is a digest of the files that the program reads only when it starts; like every
    other field, a change of it makes the supervisor start the program anew.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    netns: str = ""
    probe: Probe | None = None
    depends_on: tuple[str, ...] = ()
    one_shot: bool = False
    stop_seconds: float = 10.0
    inputs: str = ""

    def fingerprint(self) -> str:
        """Equal for equal definitions; tells whether a running process is the wanted one."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:16]


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    processes: tuple[Process, ...]

    def digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:16]


Phase = Literal["Waiting", "Starting", "Ready", "Unready", "BackOff", "Done", "Stopping", "Stopped"]


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one process. Times are RFC 3339; `start_time` is in clock ticks (proc(5))."""

    name: str
    phase: Phase = "Waiting"
    pid: int = 0
    start_time: int = 0
    restarts: int = 0
    since: str = ""
    ready_since: str | None = None
    detail: str = ""

    @property
    def settled(self) -> bool:
        """Serves, or has done what a one-shot had to do."""
        return self.phase in ("Ready", "Done")


class SupervisorState(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    plan: str
    processes: tuple[ProcessState, ...] = ()

    @property
    def settled(self) -> bool:
        return all(process.settled for process in self.processes)


def stop_order(processes: Iterable[Process]) -> list[list[str]]:
    """Groups of names to stop one after the other: nobody stops before those who need it."""
    return [sorted(group) for group in reversed(_levels(tuple(processes)))]


def check_plan(plan: Plan) -> None:
    """Raises PlanError where the plan contradicts itself."""
    _levels(plan.processes)


def _levels(processes: tuple[Process, ...]) -> list[set[str]]:
    left = {process.name: set(process.depends_on) for process in processes}
    if len(left) != len(processes):
        raise PlanError("two processes have the same name")
    if missing := {d for needs in left.values() for d in needs} - left.keys():
        raise PlanError(f"depends_on names unknown processes: {', '.join(sorted(missing))}")
    levels: list[set[str]] = []
    while left:
        level = {name for name, needs in left.items() if not needs}
        if not level:
            raise PlanError(f"circular depends_on among {', '.join(sorted(left))}")
        levels.append(level)
        left = {name: needs - level for name, needs in left.items() if name not in level}
    return levels
