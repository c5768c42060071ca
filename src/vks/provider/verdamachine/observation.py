"""What is known of a machine, and what can be done next. Both are plain values."""

from __future__ import annotations

from datetime import datetime

import msgspec

from vks.provider.ownership import owner_id
from vks.resources.clusterapi import Cluster, Machine
from vks.resources.verdacluster import VerdaCluster
from vks.resources.verdamachine import VerdaMachine
from vks.resources.verdaport import VerdaPort
from vks.verda.compute import Server

#: Reason of a machine whose server found no host in its zone; tried again after RETRY_ROOM.
NO_ROOM = "NoRoomInZone"


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One look at everything that concerns a machine. The ids come from the status or from what
    this reconcile did; `server` is None when it is not known to exist."""

    machine: VerdaMachine
    owner_machine: Machine
    owner_cluster: Cluster
    verda_cluster: VerdaCluster
    now: datetime
    port_id: str | None = None
    port_ip: str = ""
    member_id: str | None = None
    server_id: str | None = None
    server: Server | None = None
    #: Nova was asked for `server_id`; if `server` is None then it does not exist.
    server_asked: bool = False
    console: str | None = None
    #: The slots of the machine's port pool, those of them whose holders are being deleted, and
    #: the one that the machine has claimed.
    slots: tuple[VerdaPort, ...] = ()
    leaving: frozenset[str] = frozenset()
    slot: VerdaPort | None = None

    @property
    def owner(self) -> str:
        return owner_id(self.machine)

    @property
    def zone(self) -> str | None:
        """Where the server is to be: the Machine decides, once."""
        return self.machine.spec.availability_zone or self.owner_machine.spec.failure_domain or None

    @property
    def provisioned(self) -> bool:
        return bool(self.machine.status.initialization.provisioned)

    @property
    def found_no_room(self) -> bool:
        """Whether it is on record that the server found no host."""
        return any(c.reason == NO_ROOM for c in self.machine.status.conditions)

    @property
    def adopted(self) -> bool:
        return self.machine.spec.adopt_server_id is not None


class ClaimSlot(msgspec.Struct, frozen=True):
    """Claim this VerdaPort, which was seen to be free."""

    name: str


class EnsurePort(msgspec.Struct, frozen=True):
    """Make or find the port that the server will use."""


class EnsureMember(msgspec.Struct, frozen=True):
    """Register the control plane at the load balancer, before it can answer."""


class EnsureServer(msgspec.Struct, frozen=True):
    """Make or find the server."""


class AskServer(msgspec.Struct, frozen=True):
    """Look at the server."""

    server_id: str


class DiscardServer(msgspec.Struct, frozen=True):
    """Delete a server that found no host, so that another attempt can be made."""

    server_id: str


class ReadConsole(msgspec.Struct, frozen=True):
    """Fetch the tail of the console: the machine did not become a node in time."""

    server_id: str


class Wait(msgspec.Struct, frozen=True):
    """Nothing can be done until something else happens. `poll` in seconds, for what nobody will
    tell us about; `watch_server` asks for quick news of the server."""

    condition: str
    reason: str
    message: str = ""
    poll: float | None = None
    watch_server: bool = False


class Done(msgspec.Struct, frozen=True):
    """The machine is what it shall be; look again after `recheck` seconds."""

    recheck: float | None = None


Step = (
    ClaimSlot
    | EnsurePort
    | EnsureMember
    | EnsureServer
    | AskServer
    | DiscardServer
    | ReadConsole
    | Wait
    | Done
)
