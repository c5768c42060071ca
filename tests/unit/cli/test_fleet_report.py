"""The report of a fleet, for people; `-o json` has all of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vks.cli.fleet import _over, _show

PREPARED = {"name": "Prepare", "seconds": 85, "step": ""}
UNDER_WAY = {"name": "Adopt", "seconds": None, "step": "Keys"}


def cluster(name: str, state: str, **more: Any) -> dict[str, Any]:
    said = {"phase": "", "reason": "", "message": ""}
    return {"name": name, "state": state, **said, "seconds": None, "phases": [], **more}


FLEET: dict[str, Any] = {
    "name": "all",
    "phase": "Halted",
    "until": "Converted",
    "concurrency": 2,
    "haltAfter": 1,
    "done": 1,
    "underWay": 1,
    "failed": 1,
    "clusters": [
        cluster("a", "Done", phase="Converted", seconds=412, phases=[PREPARED]),
        cluster("b", "UnderWay", phase="Adopting", phases=[PREPARED, UNDER_WAY]),
        cluster("c", "Failed", reason="Refused", message="EtcdMembers: two voting members"),
    ],
}


def test_every_cluster_is_a_line_with_its_phases_and_why_it_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _show(FLEET, "table")
    lines = capsys.readouterr().out.splitlines()
    shown = " ".join(lines[1].split())
    assert shown == "all Halted Converted 1/3 1 of at most 2 1, halts at 1"
    assert lines[3].split() == ["a", "Done", "Converted", "412", "Prepare", "85s", "-"]
    assert lines[4].split() == ["b", "UnderWay", "Adopting", "-", "Prepare", "85s,Adopt", "-"]
    assert lines[5].endswith("Refused: EtcdMembers: two voting members")


def test_programs_get_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    _show(FLEET, "json")
    assert json.loads(capsys.readouterr().out) == FLEET


@pytest.mark.parametrize(
    ("phase", "reason", "over"),
    [
        ("Finished", None, True),
        ("Halted", None, True),
        ("Halted", "", False),
        ("Halted", "Paused", False),
        ("Halted", "Overdue", True),
        ("Running", None, False),
    ],
)
def test_a_fleet_is_waited_for_until_nothing_happens_by_itself(
    phase: str, reason: str | None, over: bool
) -> None:
    """`reason` is that of a cluster that is under way."""
    clusters = [] if reason is None else [cluster("b", "UnderWay", reason=reason)]
    assert _over({"phase": phase, "clusters": clusters}) is over
