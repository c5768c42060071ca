"""Where one running stack keeps its things, and on which ports it listens."""

from __future__ import annotations

import json
import os
import random
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

#: Every listener of the stack; each gets a free port of 127.0.0.1.
LISTENERS: tuple[str, ...] = (
    "keystone", "placement", "neutron", "glance", "nova",
    "mariadb", "rabbitmq", "erlang", "epmd",
)  # fmt: skip

#: Below the kernel's ephemeral range, so that no outgoing connection takes a port meanwhile.
_PORT_RANGE = range(20_000, 32_000)

REGION = "tokyo"
ZONES: tuple[str, ...] = ("tokyo-1", "tokyo-2", "tokyo-3")
SERVICE_PASSWORD = "service"
ADMIN_PASSWORD = "admin"


@dataclass(frozen=True)
class Layout:
    """One stack's directory and ports. Creating the object touches nothing."""

    state: Path
    ports: dict[str, int]

    @classmethod
    def create(cls, state: Path) -> Layout:
        """Make the directory and pick the ports. Raises FileExistsError if it is there."""
        state.mkdir(parents=True)
        layout = cls(state, allocate_ports(LISTENERS))
        layout.log.mkdir()
        layout.run.mkdir()
        layout._path.write_text(json.dumps({**asdict(layout), "state": str(state)}, indent=2))
        return layout

    @classmethod
    def load(cls, state: Path) -> Layout:
        """The stack that was started in `state`. Raises FileNotFoundError if there is none."""
        saved = json.loads((state / "stack.json").read_text())
        return cls(Path(saved["state"]), saved["ports"])

    @property
    def _path(self) -> Path:
        return self.state / "stack.json"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def run(self) -> Path:
        """Pid files and the database's socket; the working directory of every process."""
        return self.state / "run"

    @property
    def etc(self) -> Path:
        return self.state / "etc"

    def endpoint(self, service: str) -> str:
        """The URL in the catalog."""
        paths = {"keystone": "/v3", "nova": "/v2.1"}
        return f"http://127.0.0.1:{self.ports[service]}{paths.get(service, '')}"

    @property
    def database_url(self) -> str:
        return f"mysql+pymysql://os:os@127.0.0.1:{self.ports['mariadb']}"

    @property
    def transport_url(self) -> str:
        return f"rabbit://guest:guest@127.0.0.1:{self.ports['rabbitmq']}/"


def stacks_home() -> Path:
    """The directory of all stacks of this machine."""
    return Path(os.environ.get("VKS_HOME", "/var/lib/vks")) / "openstack"


def allocate_ports(names: tuple[str, ...]) -> dict[str, int]:
    """A free port for each name; all are held until the last one is found."""
    held: list[socket.socket] = []
    try:
        ports: dict[str, int] = {}
        for candidate in random.sample(_PORT_RANGE, k=len(_PORT_RANGE)):
            probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            held.append(probe)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            ports[names[len(ports)]] = candidate
            if len(ports) == len(names):
                return ports
        raise OSError("no free ports on 127.0.0.1")
    finally:
        for probe in held:
            probe.close()
