"""How a control plane leaves the load balancer, and what a MachineHealthCheck is told."""

from __future__ import annotations

from typing import Any

import pytest

from vks.kube.objects import Condition, ObjectMeta
from vks.provider.machine.farewell import DRAIN, HOOK, Seen, Step, decide, place_hook
from vks.provider.machine.health import is_news, server_health
from vks.resources.clusterapi import Machine
from vks.resources.fields import Initialization
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec, VerdaMachineStatus
from vks.verda.loadbalancer import Member

CONTROL_PLANE = {"cluster.x-k8s.io/control-plane": ""}


def machine(*, deleting: bool = False, hook: bool = True, **labels: str) -> Machine:
    return Machine(
        metadata=ObjectMeta(
            name="demo-cp-abcde",
            labels=labels or CONTROL_PLANE,
            annotations={HOOK: ""} if hook else {},
            deletion_timestamp="2026-11-25T12:00:00Z" if deleting else None,
        )
    )


def member(state: Any) -> Member:
    return Member(id="m", name="demo-cp-abcde", address="10.0.0.1", port=6443, admin_state=state)


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        ({"member": member("ENABLED")}, Step.DRAIN_MEMBER),
        ({"member": member("DRAINING"), "draining_for": DRAIN / 2}, Step.WAIT),
        ({"member": member("DRAINING"), "draining_for": DRAIN}, Step.CLOSE_CONNECTIONS),
        ({"member": member("DISABLED"), "busy": True}, Step.WAIT),
        ({"member": member("DISABLED")}, Step.REMOVE_HOOK),
        ({"member": None}, Step.REMOVE_HOOK),
        ({"member": member("ENABLED"), "serving": False}, Step.REMOVE_HOOK),
    ],
)
def test_clients_are_moved_away_before_the_hook_is_taken_away(
    seen: dict[str, Any], step: Step
) -> None:
    assert decide(Seen(**{"machine": machine(deleting=True), "serving": True, **seen})) is step


def test_nothing_is_done_once_the_hook_is_gone() -> None:
    gone = machine(deleting=True, hook=False)
    assert decide(Seen(machine=gone, serving=True, member=member("ENABLED"))) is Step.NOTHING


def test_only_registered_control_planes_that_stay_get_the_hook() -> None:
    assert place_hook(machine(hook=False), registered=True)
    assert not place_hook(machine(), registered=True)
    assert not place_hook(machine(hook=False), registered=False)
    assert not place_hook(machine(hook=False, deleting=True), registered=True)
    assert not place_hook(machine(hook=False, role="worker"), registered=True)


def server(status: str, reason: str, *, provisioned: bool = True) -> VerdaMachine:
    condition = Condition(type="ServerReady", status=status, reason=reason, message="says why")
    return VerdaMachine(
        spec=VerdaMachineSpec(flavor="f", image="i"),
        status=VerdaMachineStatus(
            initialization=Initialization(provisioned=provisioned), conditions=(condition,)
        ),
    )


@pytest.mark.parametrize(
    ("status", "reason", "health"),
    [
        ("True", "Ready", ("True", "ServerActive", "")),
        ("False", "ServerNotFound", ("False", "ServerNotFound", "says why")),
        ("False", "ServerNotActive", ("False", "ServerStopped", "says why")),
        ("False", "ServerFailed", ("False", "ServerFailed", "says why")),
        ("False", "ServerStarting", ("Unknown", "ServerStarting", "says why")),
        ("False", "ServiceUnavailable", ("Unknown", "ServiceUnavailable", "says why")),
    ],
)
def test_a_server_is_lost_when_the_cloud_says_so_not_when_it_says_nothing(
    status: str, reason: str, health: tuple[str, str, str]
) -> None:
    assert server_health(server(status, reason)) == health


@pytest.mark.parametrize(
    ("known", "health", "news"),
    [
        (None, ("True", "ServerActive", ""), False),
        (None, ("False", "ServerStopped", "says why"), True),
        (("True", "ServerActive", ""), ("True", "ServerActive", ""), False),
        (("True", "ServerActive", ""), ("False", "ServerStopped", ""), True),
        (("False", "ServerStopped", ""), ("True", "ServerActive", ""), True),
        (("False", "ServerStopped", ""), ("False", "ServerStopped", "more"), True),
    ],
)
def test_a_machine_hears_of_its_server_when_that_is_news(
    known: tuple[str, str, str] | None, health: tuple[str, str, str], news: bool
) -> None:
    if known is None:
        assert is_news(None, health) is news
    else:
        status, reason, message = known
        condition = Condition(
            type="ServerHealthy",
            status=status,
            reason=reason,
            message=message,
            observed_generation=1,
        )
        assert is_news(condition, health) is news


def test_a_machine_on_its_way_up_has_no_health_yet() -> None:
    assert server_health(server("False", "ServerFailed", provisioned=False)) is None
