"""One local Verda region on this machine: its name, directories, namespace and ports.

Several instances run side by side (a developer's region and the tests' own): everything
that could collide is derived from the instance's name or allocated once and written down.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

#: Services that an instance publishes on the host's loopback, with the port that it prefers.
PUBLISHED_PORTS: dict[str, int] = {
    "api": 7080,  # VKS REST API
    "cloud": 7500,  # the local Verda: identity, compute, network, image, lbaas
    "management": 7443,  # kube-apiserver of the management cluster
    "proxy": 7081,  # HTTP CONNECT into the fabric, for kubeconfigs' proxy-url
}

_NAME = re.compile(r"[a-z][a-z0-9-]{0,18}[a-z0-9]|[a-z]")


class InstanceNameError(ValueError):
    """The name cannot name a namespace, a directory and a region."""


@dataclass(frozen=True)
class Instance:
    """Where one local region keeps its things. Creating the object touches nothing."""

    name: str
    home: Path
    cache: Path

    @classmethod
    def named(cls, name: str) -> Instance:
        """The instance of that name below `VKS_HOME` and `VKS_CACHE`.

        By default these are the system's directories for root, and the user's own (XDG base
        directories) for others. Raises InstanceNameError unless `name` is a DNS label of at most
        20 characters.
        """
        if not _NAME.fullmatch(name):
            raise InstanceNameError(
                f"instance name {name!r} must be a DNS label of at most 20 characters"
            )
        homes, cache = default_directories()
        homes = Path(os.environ.get("VKS_HOME", homes))
        cache = Path(os.environ.get("VKS_CACHE", cache))
        return cls(name=name, home=homes / name, cache=cache)

    @property
    def fabric_netns(self) -> str:
        """The network namespace that holds every private address of the region."""
        return f"vks-{self.name}"

    @property
    def fabric_netns_path(self) -> Path:
        return Path("/run/netns") / self.fabric_netns

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Pid files, sockets and the supervisor's state."""
        return self.home / "run"

    @property
    def lock(self) -> Path:
        """Held by whoever brings the instance up or down; outlives its home."""
        return self.home.with_name(f".{self.name}.lock")

    def ports(self) -> dict[str, int]:
        """The published ports, allocated on the first call and kept for the instance's life.

        The same number is used inside the fabric and on the host's loopback, so that a URL
        such as those in Keystone's catalog is valid on both sides.
        """
        return self.allocate("ports.json", PUBLISHED_PORTS)

    def allocate(self, file: str, preferred: Mapping[str, int]) -> dict[str, int]:
        """Free ports of the host's loopback by name, written down in `file` on the first call."""
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / file
        with (self.home / ".ports.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                known: dict[str, int] = json.loads(path.read_text())
                return known
            with ExitStack() as held:  # until all are found, so that none is found twice
                probes = {
                    name: held.enter_context(_listenable(port)) for name, port in preferred.items()
                }
                ports: dict[str, int] = {
                    name: probe.getsockname()[1] for name, probe in probes.items()
                }
            partial = path.with_suffix(".tmp")
            partial.write_text(json.dumps(ports, indent=2) + "\n")
            partial.replace(path)
            return ports


def default_directories() -> tuple[Path, Path]:
    """Where homes and the cache are: root's are the system's."""
    if os.geteuid() == 0:
        return Path("/var/lib/vks"), Path("/var/cache/vks")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(state) / "vks", Path(cache) / "vks"


def _listenable(preferred: int) -> socket.socket:
    """Bound to `preferred` when nobody listens there, else to a port that the kernel picks."""
    for candidate in (preferred, 0):
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            probe.bind(("127.0.0.1", candidate))
        except OSError:
            probe.close()
        else:
            return probe
    raise OSError("no free port on 127.0.0.1")
