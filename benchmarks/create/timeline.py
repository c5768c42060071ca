"""Where the time of a run goes: phases of the whole, and the life of every server."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from vks.kube.times import parse_time
from vks.resources.core import Node

#: Lines of cloud-init's log: when the server's init reached it, when user data's commands
#: (kubeadm) began, and when they had ended.
_MARKS = {
    "booted": re.compile(r"Cloud-init v\. \S+ running 'init-local'"),
    "commands": re.compile(r"Running command \['/var/lib/cloud/instance/scripts/runcmd'\]"),
    "commandsDone": re.compile(r"finish: modules-final/config-scripts[-_]user"),
}
_TIME = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3})")


@dataclass
class Run:
    """One cluster from the request to complete. All times in seconds since the request."""

    began: float = field(default_factory=time.time)
    phases: dict[str, float] = field(default_factory=dict)
    servers: dict[str, dict[str, float | str]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.phases["complete"]

    def mark(self, phase: str, moment: float | None = None) -> None:
        """Notes the phase's first time; without `moment` (time.time) it is now."""
        self.phases.setdefault(phase, self.since(time.time() if moment is None else moment))

    def mark_api_time(self, phase: str, moment: str | None) -> None:
        """The same for a time as API servers write it: whole seconds, rounded down."""
        if moment:
            self.mark(phase, parse_time(moment).timestamp())

    def server(self, name: str, **times: float | str | None) -> None:
        """Adds to what is known of a server; None is left out."""
        known = self.servers.setdefault(name, {})
        known.update({key: value for key, value in times.items() if value is not None})

    def node(self, node: Node) -> None:
        """When a server's Node came, from its own record."""
        created = node.metadata.creation_timestamp
        if created:
            self.server(node.metadata.name, node=self.since(parse_time(created).timestamp()))

    def ready(self, nodes: Iterable[Node]) -> None:
        """Notes nodes that are seen Ready for the first time."""
        for node in nodes:
            if node.ready and "nodeReady" not in self.servers.get(node.metadata.name, {}):
                self.server(node.metadata.name, nodeReady=self.since(time.time()))

    def boot(self, name: str, disk: Path) -> None:
        """What the server's own log says about its boot."""
        for mark, moment in boot_times(disk / "var/log/cloud-init.log").items():
            self.server(name, **{mark: self.since(moment)})

    def since(self, moment: float) -> float:
        return round(moment - self.began, 2)


def boot_times(log: Path) -> dict[str, float]:
    """The marks that the log has, as time.time(). The servers' clocks are the host's, in UTC."""
    found: dict[str, float] = {}
    with log.open(errors="replace") as lines:
        for line in lines:
            time_ = _TIME.match(line)
            if time_ is None:
                continue
            for mark, pattern in _MARKS.items():
                if mark not in found and pattern.search(line):
                    at = datetime.strptime(time_[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
                    found[mark] = at.timestamp() + int(time_[2]) / 1000
    return found
