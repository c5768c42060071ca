"""What a node reports of its user script, and what is made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.provider.test_decide import observation, server

from vks.kube.conditions import ConditionSet
from vks.kube.objects import ObjectMeta, find_condition
from vks.provider.conditions import MACHINE_CONDITIONS
from vks.provider.userscript import node_condition, read_report, summary
from vks.provider.verdamachine.observation import Done
from vks.provider.verdamachine.status import new_status, set_conditions, status_body
from vks.resources.core import CoreCondition, Node, NodeStatus
from vks.resources.verdamachine import (
    USER_SCRIPT,
    ScriptResult,
    UserScriptStatus,
    VerdaMachineStatus,
)

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
GOOD = ScriptResult(outcome="Succeeded", duration_ms=2100)
BAD = ScriptResult(outcome="Failed", exit_code=3, duration_ms=400, lines="no such disk\n")


def node(report: Any, *conditions: CoreCondition) -> Node:
    text = report if isinstance(report, str) else json.dumps(report)
    return Node(
        metadata=ObjectMeta(name="n", annotations={USER_SCRIPT: text}),
        status=NodeStatus(conditions=conditions),
    )


def test_what_the_runner_writes_is_read() -> None:
    written = {"exitCode": 3, "durationMs": 400, "outcome": "Failed", "lines": "no such disk\n"}
    report = read_report(node({"complete": True, "pre": written}))
    assert report == UserScriptStatus(complete=True, pre=BAD)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '{"pre": 1}', '{"pre": {"outcome": "Won"}}', "x" * 20_000),
        '{"pre": {"outcome": "Failed", "lines": "' + "x" * 5000 + '"}}',
    ],
)
def test_what_does_not_fit_the_form_is_dropped(text: str) -> None:
    assert read_report(node(text)) is None


@given(st.text(max_size=200))
def test_no_report_is_an_error(text: str) -> None:
    read_report(node(text))


@pytest.mark.parametrize(
    ("report", "status", "reason", "message"),
    [
        (UserScriptStatus(pre=GOOD), "Unknown", "Running", "pre: succeeded after 2.1 s"),
        (
            UserScriptStatus(complete=True, pre=GOOD, post=BAD),
            "False",
            "UserScriptFailed",
            "pre: succeeded after 2.1 s; post: exit code 3 after 0.4 s\nno such disk\n",
        ),
        (
            UserScriptStatus(complete=True, post=GOOD),
            "True",
            "UserScriptSucceeded",
            "post: succeeded after 2.1 s",
        ),
    ],
)
def test_the_condition_of_the_node_says_how_it_went(
    report: UserScriptStatus, status: str, reason: str, message: str
) -> None:
    said = node_condition(node(""), report, NOW)
    assert said is not None
    assert (said["status"], said["reason"], said["message"]) == (status, reason, message)
    known = CoreCondition(
        type=said["type"], status=status, reason=reason, message=message, last_transition_time="t"
    )
    assert node_condition(node("", known), report, NOW) is None


def test_a_condition_that_changes_its_words_keeps_its_time() -> None:
    known = CoreCondition(
        type="UserScriptSucceeded", status="True", reason="x", last_transition_time="t"
    )
    said = node_condition(node("", known), UserScriptStatus(complete=True, pre=GOOD), NOW)
    assert said is not None
    assert said["lastTransitionTime"] == "t"


def ready(report: UserScriptStatus | None, *, required: bool) -> tuple[str, str, str]:
    seen = observation(node="m", spec={"require_user_script": required}, **server("ACTIVE"))
    machine = msgspec.structs.replace(seen.machine, status=VerdaMachineStatus(user_script=report))
    conditions = ConditionSet((), MACHINE_CONDITIONS, now=NOW, generation=1)
    set_conditions(msgspec.structs.replace(seen, machine=machine), Done(), conditions)
    found = find_condition(conditions.all(), "Ready")
    assert found is not None
    return found.status, found.reason, found.message


@pytest.mark.parametrize(
    ("report", "status", "reason"),
    [
        (None, "False", "WaitingForUserScript"),
        (UserScriptStatus(pre=GOOD), "False", "WaitingForUserScript"),
        (UserScriptStatus(pre=BAD), "False", "UserScriptFailed"),
        (UserScriptStatus(complete=True, pre=GOOD), "True", "ServerActive"),
    ],
)
def test_a_machine_that_needs_its_script_is_ready_only_with_it(
    report: UserScriptStatus | None, status: str, reason: str
) -> None:
    assert ready(report, required=True)[:2] == (status, reason)
    assert ready(report, required=False)[:2] == ("True", "ServerActive")


def test_the_machine_repeats_the_last_lines() -> None:
    report = UserScriptStatus(complete=True, pre=BAD)
    assert ready(report, required=True)[2] == summary(report)
    assert "no such disk" in summary(report)


def test_the_machines_controller_leaves_the_report_to_the_cloud_controller() -> None:
    seen = observation(**server("ACTIVE"))
    old = VerdaMachineStatus(user_script=UserScriptStatus(pre=GOOD))
    assert "userScript" not in status_body(new_status(seen, old), ())
    assert "userScript" not in status_body(old, ())
