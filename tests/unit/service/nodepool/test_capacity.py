"""Which zones have no room, in one sentence."""

from __future__ import annotations

from vks.kube.objects import Condition, ObjectMeta
from vks.resources.clusterapi import Machine, MachineSpec
from vks.resources.fields import ContractReference
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec, VerdaMachineStatus
from vks.service.nodepool.capacity import shortage


def machine(name: str, zone: str) -> Machine:
    return Machine(
        metadata=ObjectMeta(name=name),
        spec=MachineSpec(failure_domain=zone, infrastructure_ref=ContractReference(name=name)),
    )


def server(name: str, status: str, reason: str, message: str = "") -> VerdaMachine:
    ready = Condition(type="Ready", status=status, reason=reason, message=message)
    return VerdaMachine(
        metadata=ObjectMeta(name=name),
        spec=VerdaMachineSpec(flavor="f", image="i"),
        status=VerdaMachineStatus(conditions=(ready,)),
    )


def test_zones_are_named_with_how_many_wait_and_why() -> None:
    machines = [machine("a", "z2"), machine("b", "z2"), machine("c", "z1"), machine("d", "z3")]
    servers = [
        server("a", "False", "NoRoomInZone", "no host.\nmore"),
        server("b", "False", "NoRoomInZone", "no host."),
        server("c", "False", "QuotaExceeded", "cores"),
        server("d", "True", "ServerActive"),
    ]
    assert shortage(machines, servers) == (
        "z1 has no room for 1 node: cores; z2 has no room for 2 nodes: no host"
    )


def test_machines_that_wait_for_something_else_are_no_shortage() -> None:
    machines = [machine("a", "z1"), machine("b", "z1")]
    assert shortage(machines, [server("a", "False", "ServerStarting")]) == ""
