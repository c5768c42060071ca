"""What a node reports of its pool's user script, and how that is told: pure functions.

A node writes its report into an annotation of its Node with the kubelet's credential, which may
change no other. It is the node's word and is read as such: what does not fit the form is dropped.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from vks.kube.times import rfc3339
from vks.resources.core import Node
from vks.resources.verdamachine import USER_SCRIPT, ScriptResult, UserScriptStatus

CONDITION = "UserScriptSucceeded"
USER_SCRIPT_FAILED = "UserScriptFailed"

_MAX_REPORT = 16_384
_MAX_MESSAGE = 1024


def read_report(node: Node) -> UserScriptStatus | None:
    """The node's report; None when there is none, or none that can be read."""
    text = node.metadata.annotations.get(USER_SCRIPT, "")
    if not text or len(text) > _MAX_REPORT:
        return None
    try:
        return msgspec.json.decode(text, type=UserScriptStatus)
    except msgspec.DecodeError:
        return None


def report_body(report: UserScriptStatus) -> dict[str, Any]:
    """For an apply body: absent parts are left out."""
    fields: dict[str, Any] = msgspec.to_builtins(report)
    return {name: value for name, value in fields.items() if value is not None}


def summary(report: UserScriptStatus) -> str:
    """First how each part ended, on one line, then the last lines of the one that failed."""
    parts = {"pre": report.pre, "post": report.post}
    ended = [f"{phase}: {_ended(part)}" for phase, part in parts.items() if part is not None]
    lines = [p.lines for p in parts.values() if p is not None and not p.succeeded and p.lines]
    return "\n".join(["; ".join(ended), *lines[:1]])


def node_condition(node: Node, report: UserScriptStatus, now: datetime) -> dict[str, Any] | None:
    """The condition of the Node, or None when it says this already."""
    status, reason = _verdict(report)
    message = summary(report)[:_MAX_MESSAGE]
    known = next((c for c in node.status.conditions if c.type == CONDITION), None)
    if known is not None and (known.status, known.reason, known.message) == (
        status,
        reason,
        message,
    ):
        return None
    moment = rfc3339(now)
    since = known.last_transition_time if known and known.status == status else None
    return {
        "type": CONDITION,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": moment,
        "lastTransitionTime": since or moment,
    }


def _verdict(report: UserScriptStatus) -> tuple[str, str]:
    if report.failed:
        return "False", USER_SCRIPT_FAILED
    return ("True", "UserScriptSucceeded") if report.complete else ("Unknown", "Running")


def _ended(part: ScriptResult) -> str:
    seconds = f"{part.duration_ms / 1000:.1f} s"
    match part.outcome:
        case "Succeeded":
            return f"succeeded after {seconds}"
        case "Failed":
            return f"exit code {part.exit_code} after {seconds}"
        case "TimedOut":
            return f"killed after {seconds}: it took too long"
        case "Interrupted":
            return "interrupted: how it ended is not known"
        case "Skipped":
            return "not run"
