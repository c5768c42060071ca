"""What is known of a node, and what can be done next. Both are plain values."""

from __future__ import annotations

import msgspec

from vks.legacy.plan.model import Plan
from vks.legacy.server.hub import Report
from vks.resources.legacycluster import LegacyCluster
from vks.resources.legacynode import EtcdMember, LegacyNode
from vks.verda.compute import Server


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One look at everything that concerns a node. `report` is None without a connected agent;
    `plan` is what the node must run, once that can be said, else `unplannable` says why not."""

    node: LegacyNode
    cluster: LegacyCluster
    port_id: str | None = None
    address: str = ""
    server_id: str | None = None
    server: Server | None = None
    #: Nova was asked for `server_id`; if `server` is None then it does not exist.
    server_asked: bool = False
    version: str = ""
    etcd: EtcdMember | None = None
    report: Report | None = None
    sent: str = ""  # digest of the plan that this connection was sent
    plan: Plan | None = None
    unplannable: str = ""

    @property
    def founder(self) -> bool:
        return self.cluster.status.founder == self.node.metadata.name

    @property
    def provider_id(self) -> str:
        spec = self.node.spec
        return f"verda:///{self.cluster.spec.region}/{spec.zone}/{self.server_id}"


class EnsurePort(msgspec.Struct, frozen=True):
    """Make or find the port that the server will use."""


class EnsureServer(msgspec.Struct, frozen=True):
    """Make or find the server, with the agent in its user data."""


class AskServer(msgspec.Struct, frozen=True):
    """Look at the server."""


class FoundEtcd(msgspec.Struct, frozen=True):
    """Record that this node's etcd is the first member."""


class JoinEtcd(msgspec.Struct, frozen=True):
    """Announce the node to the members as a learner, and record how its etcd has to start."""


class PromoteEtcd(msgspec.Struct, frozen=True):
    """Let the learner vote."""


class MakePlan(msgspec.Struct, frozen=True):
    """Work out what the node must run."""


class SendPlan(msgspec.Struct, frozen=True):
    """Tell the agent."""


class Wait(msgspec.Struct, frozen=True):
    """Nothing can be done until something else happens. `poll` in seconds, for what nobody will
    tell us about; `watch_server` asks for quick news of the server."""

    condition: str
    reason: str
    message: str = ""
    poll: float | None = None
    watch_server: bool = False


class Done(msgspec.Struct, frozen=True):
    """The node is what it shall be."""


Step = (
    EnsurePort
    | EnsureServer
    | AskServer
    | FoundEtcd
    | JoinEtcd
    | PromoteEtcd
    | MakePlan
    | SendPlan
    | Wait
    | Done
)
