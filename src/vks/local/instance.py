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

        Raises InstanceNameError unless `name` is a DNS label of at most 20 characters.
        """
        if not _NAME.fullmatch(name):
            raise InstanceNameError(
                f"instance name {name!r} must be a DNS label of at most 20 characters"
            )
        homes = Path(os.environ.get("VKS_HOME", "/var/lib/vks"))
        cache = Path(os.environ.get("VKS_CACHE", "/var/cache/vks"))
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

    def ports(self) -> dict[str, int]:
        """The published ports, allocated on the first call and kept for the instance's life.

        The same number is used inside the fabric and on the host's loopback, so that a URL
        such as those in Keystone's catalog is valid on both sides.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / "ports.json"
        with (self.home / ".ports.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                known: dict[str, int] = json.loads(path.read_text())
                return known
            ports = {name: _free_port(preferred) for name, preferred in PUBLISHED_PORTS.items()}
            partial = path.with_suffix(".tmp")
            partial.write_text(json.dumps(ports, indent=2) + "\n")
            partial.replace(path)
            return ports


def _free_port(preferred: int) -> int:
    """`preferred` when nobody listens there, else a port that the kernel picks."""
    for candidate in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise OSError("no free port on 127.0.0.1")
