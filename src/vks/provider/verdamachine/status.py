"""Pure: from an observation and the step at which it ended, the status of a VerdaMachine."""

from __future__ import annotations

from typing import Any

import msgspec

from vks.kube.conditions import ConditionSet, conditions_body
from vks.kube.objects import Condition
from vks.provider.conditions import (
    BOOTSTRAP_DATA_READY,
    LOAD_BALANCER_READY,
    MACHINE_CONDITIONS,
    NODE_REGISTERED,
    PORT_READY,
    SERVER_READY,
)
from vks.provider.userscript import USER_SCRIPT_FAILED, summary
from vks.provider.verdamachine.decide import provider_id
from vks.provider.verdamachine.observation import Done, Observation, Wait
from vks.resources.contract import READY
from vks.resources.fields import Initialization, MachineAddress
from vks.resources.verdamachine import VerdaMachine, VerdaMachineStatus


def set_conditions(seen: Observation, end: Wait | Done, conditions: ConditionSet) -> None:
    """Say of every part whether it is there, and in Ready what the machine waits for."""
    _part(conditions, PORT_READY, seen.port_ip or seen.port_id, "WaitingForPort")
    if seen.owner_machine.is_control_plane:
        _part(conditions, LOAD_BALANCER_READY, seen.member_id, "WaitingForMember")
    bootstrap = seen.owner_machine.spec.bootstrap.data_secret_name or seen.server_id
    _part(conditions, BOOTSTRAP_DATA_READY, bootstrap, "WaitingForBootstrapData")
    active = seen.server is not None and seen.server.status == "ACTIVE"
    _part(conditions, SERVER_READY, active, "WaitingForServer")
    registered = seen.owner_machine.status.node_ref is not None
    _part(conditions, NODE_REGISTERED, registered, "WaitingForNode")
    if isinstance(end, Wait):
        conditions.set(end.condition, False, end.reason, end.message)
        conditions.set(READY, False, end.reason, end.message)
    else:
        conditions.set(READY, *_with_user_script(seen))


def _with_user_script(seen: Observation) -> tuple[bool, str, str]:
    """Ready, unless the pool's user script must have succeeded and has not."""
    report = seen.machine.status.user_script
    if not seen.machine.spec.require_user_script or (
        report is not None and report.complete and not report.failed
    ):
        return True, "ServerActive", _node_message(seen)
    if report is not None and report.failed:
        return False, USER_SCRIPT_FAILED, summary(report)
    return False, "WaitingForUserScript", "the node has not yet reported on its user script"


def _part(conditions: ConditionSet, type_: str, present: object, otherwise: str) -> None:
    if present:
        conditions.set(type_, True, "Ready")
    else:
        conditions.set(type_, False, otherwise)


def _node_message(seen: Observation) -> str:
    """What the cloud controller saw of a control plane's node. Core mirrors this message to the
    Machine, and so the control plane provider looks again at once when a node turns healthy,
    instead of at its next preflight 20 s later. Nobody waits for a worker's, which would have core
    write each Machine once more."""
    if not seen.owner_machine.is_control_plane:
        return ""
    if seen.owner_machine.status.node_ref is None:
        return "waiting for the Node"
    healthy = seen.machine.node_health
    if healthy is None or healthy.status != "True":
        return f"Node: {healthy.message}" if healthy and healthy.message else ""
    return "Node is healthy"


def new_status(seen: Observation, old: VerdaMachineStatus) -> VerdaMachineStatus:
    """The status without conditions. What was reached once stays; a server that was taken over
    with its provider id was provisioned by its former owner, even if it has died since."""
    server = seen.server
    active = server is not None and server.status == "ACTIVE"
    known = seen.adopted and seen.server_asked and bool(seen.machine.spec.provider_id)
    provisioned = True if active or known else old.initialization.provisioned
    zone = server.zone if server is not None and server.zone else None
    addresses = old.addresses
    if server is not None and (server.ips or seen.port_ip):
        ips = server.ips or (seen.port_ip,)
        addresses = (
            MachineAddress(type="Hostname", address=server.name),
            *(MachineAddress(type="InternalIP", address=ip) for ip in ips),
        )
    return VerdaMachineStatus(
        initialization=Initialization(provisioned=provisioned),
        failure_domain=zone or old.failure_domain or seen.zone,
        addresses=addresses,
        server_id=seen.server_id,
        server_state=server.status if server is not None else None,
        port_id=seen.port_id,
        load_balancer_member_id=seen.member_id,
    )


def status_body(status: VerdaMachineStatus, conditions: tuple[Condition, ...]) -> dict[str, Any]:
    """The status as an apply body: whatever was never set is left out, and so is what the cloud
    controller writes. Equal for equal content."""
    own = msgspec.structs.replace(status, user_script=None)
    body: dict[str, Any] = {
        name: value for name, value in msgspec.to_builtins(own).items() if value is not None
    }
    mine = (c for c in conditions if c.type in MACHINE_CONDITIONS)
    body["conditions"] = conditions_body(sorted(mine, key=lambda c: c.type))
    if status.initialization.provisioned is None:
        del body["initialization"]
    return body


def spec_body(machine: VerdaMachine, seen: Observation) -> dict[str, Any]:
    """The spec fields that this controller fills, all of them each time: under server-side apply
    a field that is left out is given up. The provider id is for good, so it waits for a server that
    runs: one that found no host makes way for another."""
    spec: dict[str, Any] = {}
    zone = seen.zone or (seen.server.zone if seen.server is not None else None)
    if zone:
        spec["availabilityZone"] = zone
    if machine.spec.provider_id:
        spec["providerID"] = machine.spec.provider_id
    elif seen.server_id and seen.server is not None and seen.server.status == "ACTIVE" and zone:
        region = seen.verda_cluster.spec.region
        spec["providerID"] = provider_id(region, seen.server.zone or zone, seen.server_id)
    return spec
