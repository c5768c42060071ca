"""Pure: from an observation and the step at which it ended, the status of a LegacyNode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from vks.kube.conditions import ConditionSet, conditions_body
from vks.legacy.agent.node import PREFIX
from vks.legacy.plan.worker import api_servers
from vks.legacy.server.conditions import (
    AGENT_CONNECTED,
    NODE_READY,
    PLAN_APPLIED,
    SERVER_READY,
    SERVICES_HEALTHY,
)
from vks.legacy.server.legacynode.observation import Done, Observation, Wait
from vks.resources.contract import READY
from vks.resources.legacynode import LegacyNodeStatus


def set_conditions(seen: Observation, end: Wait | Done, conditions: ConditionSet) -> None:
    """Say of every part whether it is there, and in Ready what the node waits for."""
    report = seen.report
    active = seen.server is not None and seen.server.status == "ACTIVE"
    planned = report is not None and bool(report.plan) and report.plan == seen.sent
    healthy = planned and report is not None and bool(report.probes)
    healthy = healthy and report is not None and not any(report.probes.values())
    registered = report is not None and report.node is not None and report.node.ready
    for type_, present, otherwise in (
        (SERVER_READY, active, "WaitingForServer"),
        (AGENT_CONNECTED, report is not None, "WaitingForAgent"),
        (PLAN_APPLIED, planned, "WaitingForPlan"),
        (SERVICES_HEALTHY, healthy, "WaitingForServices"),
        (NODE_READY, registered, "WaitingForNode"),
    ):
        if present:
            conditions.set(type_, True, "Ready")
        else:
            conditions.set(type_, False, otherwise)
    if isinstance(end, Wait):
        conditions.set(end.condition, False, end.reason, end.message)
        conditions.set(READY, False, end.reason, end.message)
    else:
        conditions.set(READY, True, "NodeReady")


def new_status(seen: Observation) -> LegacyNodeStatus:
    """The status without conditions. What was reached once stays."""
    old = seen.node.status
    pod_cidr = seen.report.node.pod_cidr if seen.report and seen.report.node else ""
    running = running_flags(seen.report.running) if seen.report else {}
    return LegacyNodeStatus(
        port_id=seen.port_id,
        address=seen.address,
        server_id=seen.server_id,
        server_state=seen.server.status if seen.server is not None else None,
        provider_id=seen.provider_id if seen.server_id else "",
        version=seen.version or old.version,
        pod_cidr=pod_cidr or old.pod_cidr,
        plan=seen.sent or old.plan,
        etcd=seen.etcd,
        api_servers=_api_servers(seen),
        running=running or old.running,
    )


def _api_servers(seen: Observation) -> tuple[str, ...]:
    """As before until the node is like its plan."""
    report, plan = seen.report, seen.plan
    if report is None or plan is None or report.plan != plan.digest:
        return seen.node.status.api_servers
    return api_servers(plan)


def running_flags(lines: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Command lines as flags by component; a flag without a value has an empty one."""
    return {
        service.removeprefix(PREFIX): {
            name: value
            for name, _, value in (word.partition("=") for word in words if word.startswith("--"))
        }
        for service, words in lines.items()
    }


def status_body(status: LegacyNodeStatus, conditions: ConditionSet) -> dict[str, Any]:
    """The status as an apply body: whatever was never set is left out. So is a map without
    entries, which the API server makes null of when it owned some before."""
    body: dict[str, Any] = {
        name: value
        for name, value in msgspec.to_builtins(status).items()
        if value is not None and value != {}
    }
    body["conditions"] = conditions_body(conditions.all())
    return body
