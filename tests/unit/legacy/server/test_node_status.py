"""What a node's status says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.unit.legacy.builders import cluster, node

from vks.kube.conditions import ConditionSet
from vks.legacy.server.conditions import NODE_CONDITIONS
from vks.legacy.server.hub import Report
from vks.legacy.server.legacynode.observation import Observation
from vks.legacy.server.legacynode.status import new_status, status_body

RUNS = {"legacy-kubelet": ["kubelet", "--v=2", "--serialize-image-pulls"]}
FLAGS = {"kubelet": {"--v": "2", "--serialize-image-pulls": ""}}


def running(of: Report | None, **known: Any) -> dict[str, dict[str, str]]:
    seen = Observation(node=node("w", "worker", **known), cluster=cluster(), report=of)
    return new_status(seen).running


def test_what_ran_is_said_until_the_agent_says_it_anew() -> None:
    assert running(None, running=FLAGS) == FLAGS
    assert running(Report(), running=FLAGS) == FLAGS, "an agent that has just called"
    assert running(Report(running=RUNS), running={"kubelet": {"--v": "4"}}) == FLAGS


def test_what_was_never_set_is_left_out() -> None:
    seen = Observation(node=node("w", "worker"), cluster=cluster())
    conditions = ConditionSet((), NODE_CONDITIONS, now=datetime.now(UTC), generation=1)
    assert "running" not in status_body(new_status(seen), conditions)
