"""Pure: the next step of a node's life. `vks.legacy.server.legacynode.act` performs it."""

from __future__ import annotations

from vks.legacy.server.conditions import (
    AGENT_CONNECTED,
    NODE_READY,
    PLAN_APPLIED,
    SERVER_READY,
    SERVICES_HEALTHY,
)
from vks.legacy.server.hub import Report
from vks.legacy.server.legacynode.observation import (
    AskServer,
    Done,
    EnsurePort,
    EnsureServer,
    FoundEtcd,
    JoinEtcd,
    MakePlan,
    Observation,
    PromoteEtcd,
    SendPlan,
    Step,
    Wait,
)
from vks.resources.contract import READY

#: Nova's states on the way to ACTIVE.
_STARTING = frozenset({"BUILD", "REBUILD", "REBOOT", "HARD_REBOOT"})
#: Seconds between attempts to let a learner vote: it is told when it has caught up.
_PROMOTION_POLL = 0.5


def decide(seen: Observation) -> Step:
    """What to do next for a node that is not being deleted."""
    if not seen.cluster.status.network.network_id:
        return Wait(READY, "WaitingForNetwork", "the cluster's network is not ready")
    if seen.server_id is None:
        return EnsureServer() if seen.port_id and seen.address else EnsurePort()
    if not seen.server_asked:
        return AskServer()
    return _server(seen) or _with_agent(seen)


def _server(seen: Observation) -> Wait | None:
    """What a server that is not running waits for."""
    if seen.server is None:
        return Wait(SERVER_READY, "ServerNotFound", f"server {seen.server_id} does not exist")
    status = seen.server.status
    if status == "ACTIVE":
        return None
    if status == "ERROR":
        fault = seen.server.fault
        return Wait(SERVER_READY, "ServerFailed", fault.message if fault else "server is in ERROR")
    if status in _STARTING:
        return Wait(SERVER_READY, "ServerStarting", f"server is in {status}", watch_server=True)
    return Wait(SERVER_READY, "ServerNotActive", f"server is in {status}")


def _with_agent(seen: Observation) -> Step:
    if seen.report is None:
        if seen.node.status.plan:
            return Wait(AGENT_CONNECTED, "AgentDisconnected", "the agent's websocket is lost")
        return Wait(AGENT_CONNECTED, "WaitingForAgent", "the agent has not called yet")
    status = seen.cluster.status
    if not status.initialized and not seen.founder:
        return Wait(PLAN_APPLIED, "WaitingForFounder", f"{status.founder} founds the cluster")
    if seen.node.is_control_plane and seen.etcd is None:
        return JoinEtcd() if status.initialized else FoundEtcd()
    if seen.plan is None:
        if seen.unplannable:
            return Wait(PLAN_APPLIED, "NoPlan", seen.unplannable)
        return MakePlan()
    if seen.sent != seen.plan.digest:
        return SendPlan()
    return _with_plan(seen, seen.report, seen.plan.digest)


def _with_plan(seen: Observation, report: Report, digest: str) -> Step:
    if report.plan != digest:
        if report.failure:
            return Wait(PLAN_APPLIED, "PlanFailed", report.failure)
        return Wait(PLAN_APPLIED, "Applying", f"the agent applies plan {digest}")
    if seen.etcd is not None and not seen.etcd.voter:
        return PromoteEtcd()
    problems = [f"{name}: {text}" for name, text in sorted(report.probes.items()) if text]
    if problems or not report.probes:
        return Wait(SERVICES_HEALTHY, "ServicesUnhealthy", "; ".join(problems))
    if report.node is None:
        return Wait(NODE_READY, "WaitingForNode", "the kubelet has not registered the Node")
    if not report.node.ready:
        return Wait(NODE_READY, "NodeNotReady", "the Node is not Ready")
    return Done()


def waits_to_join(message: str) -> Wait:
    """How a node waits that is not a member that votes yet."""
    return Wait(SERVICES_HEALTHY, "CatchingUp", message, poll=_PROMOTION_POLL)
