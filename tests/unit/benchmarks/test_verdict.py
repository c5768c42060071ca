"""What the scale benchmark makes of its figures."""

from __future__ import annotations

from typing import Any

from benchmarks.scale.verdict import goals, ratios
from tests.unit.benchmarks.test_scale import figures


def _run(**operations: dict[str, Any]) -> dict[str, Any]:
    return {"topology": "1x1+1", "subjects": {"vks": operations}}


def test_ratios_are_ours_in_units_of_the_peers() -> None:
    assert ratios(figures(11.0, 4.0), figures(10.0, 2.0)) == {
        "time_to_ready": 1.1,
        "provider_cpu": 2.0,
        "provider_rss": 1.0,
        "api_calls": 1.0,
    }


def test_a_goal_is_missed_above_its_limit() -> None:
    late = figures(11.0, 4.0) | {
        "latency": {"bootstrap-requested": {"p50": 1.0, "p90": 1.5, "p99": 2.5}},
        "drainedAfter": {"verdamachine": 5.0, "machine": 6.0},
    }
    found = {goal.what: goal for goal in goals(_run(create=late))}
    assert not found["bootstrap data to server requested, p99 s"].met
    assert not found["our queues empty, s"].met
    assert found["our queues empty, s"].value == 6.0
    assert found["cores of our busiest controller"].met


def test_a_restart_is_held_to_what_it_writes() -> None:
    restart = figures(3.0, 1.0) | {"cloudWrites": 1}
    found = {goal.what: goal for goal in goals(_run(restart=restart))}
    assert found["edit reconciled, s after the restart"].met
    assert not found["cloud calls that write"].met


def test_idle_cost_is_that_of_all_our_controllers() -> None:
    idle = figures(60.0, 0.0) | {"cpuSeconds": {"provider": 1.8, "controllers": 0.6, "etcd": 9.0}}
    (goal,) = goals(_run(idle=idle))
    assert (goal.value, goal.met) == (0.04, True)


def test_what_was_cut_meets_no_goal() -> None:
    assert goals(_run(create={**figures(9.0, 1.0), "cutAfter": 9.0})) == []
    assert goals(_run(create={"skipped": "out of time"})) == []
