"""Plans: what stops before what, and which plans are refused."""

from __future__ import annotations

import pytest

from vks.local.platform.child import back_off
from vks.local.platform.processes import (
    Plan,
    PlanError,
    Process,
    ProcessState,
    SupervisorState,
    check_plan,
    stop_order,
)


def _process(name: str, *needs: str) -> Process:
    return Process(name=name, argv=("true",), depends_on=needs)


def test_nobody_stops_before_those_who_need_it() -> None:
    order = stop_order([_process("etcd"), _process("api", "etcd"), _process("kcm", "api")])
    assert order == [["kcm"], ["api"], ["etcd"]]


def test_a_circle_is_refused() -> None:
    with pytest.raises(PlanError, match="circular"):
        check_plan(Plan(processes=(_process("a", "b"), _process("b", "a"))))


def test_an_unknown_dependency_is_named() -> None:
    with pytest.raises(PlanError, match="ghost"):
        check_plan(Plan(processes=(_process("a", "ghost"),)))


def test_a_name_used_twice_is_refused() -> None:
    with pytest.raises(PlanError, match="same name"):
        check_plan(Plan(processes=(_process("a"), _process("a"))))


def test_every_field_changes_the_fingerprint() -> None:
    base = _process("a")
    other = Process(name="a", argv=("true",), inputs="new configuration")
    assert base.fingerprint() == _process("a").fingerprint()
    assert base.fingerprint() != other.fingerprint()


def test_a_region_is_settled_when_all_serve_or_are_done() -> None:
    ready, done = ProcessState(name="a", phase="Ready"), ProcessState(name="b", phase="Done")
    waiting = ProcessState(name="c", phase="BackOff")
    assert SupervisorState(pid=1, plan="", processes=(ready, done)).settled
    assert not SupervisorState(pid=1, plan="", processes=(ready, waiting)).settled


def test_back_off_doubles_up_to_a_limit() -> None:
    assert [back_off(n) for n in (1, 2, 3, 50)] == [0.1, 0.2, 0.4, 5.0]
