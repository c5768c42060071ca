"""The next step of a machine, for everything that can be known of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from vks.kube.objects import Condition, ObjectMeta
from vks.provider.verdamachine.act import Blocked, fit_user_data
from vks.provider.verdamachine.decide import decide, provider_id, server_id_of
from vks.provider.verdamachine.observation import (
    AskServer,
    DiscardServer,
    Done,
    EnsureMember,
    EnsurePort,
    EnsureServer,
    Observation,
    ReadConsole,
    Wait,
)
from vks.provider.verdamachine.status import spec_body
from vks.resources.clusterapi import (
    Bootstrap,
    Cluster,
    ClusterInitialization,
    ClusterStatus,
    Machine,
    MachineSpec,
    MachineStatus,
    NodeReference,
)
from vks.resources.contract import CONTROL_PLANE_LABEL
from vks.resources.fields import Initialization, LocalReference
from vks.resources.verdacluster import VerdaCluster, VerdaClusterSpec
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec, VerdaMachineStatus
from vks.verda.compute import Fault, Server

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
CREATED = "2030-01-01T11:59:00Z"


def observation(
    *,
    ready: bool = True,
    control_plane: bool = False,
    bootstrap: str | None = "secret",
    node: str | None = None,
    spec: dict[str, Any] | None = None,
    **known: Any,
) -> Observation:
    labels = {CONTROL_PLANE_LABEL: ""} if control_plane else {}
    return Observation(
        machine=VerdaMachine(
            metadata=ObjectMeta(name="m", uid="u"),
            spec=VerdaMachineSpec(flavor="small", image="debian", **(spec or {})),
        ),
        owner_machine=Machine(
            metadata=ObjectMeta(name="m", labels=labels),
            spec=MachineSpec(
                failure_domain="tokyo-1", bootstrap=Bootstrap(data_secret_name=bootstrap)
            ),
            status=MachineStatus(node_ref=NodeReference(name=node) if node else None),
        ),
        owner_cluster=Cluster(
            status=ClusterStatus(
                initialization=ClusterInitialization(infrastructure_provisioned=ready)
            )
        ),
        verda_cluster=VerdaCluster(
            spec=VerdaClusterSpec(region="tokyo", identity_ref=LocalReference(name="i"))
        ),
        now=NOW,
        **known,
    )


MACHINE = observation().machine
PORT: dict[str, Any] = {"port_id": "p", "port_ip": "10.60.1.5"}


def server(status: str, **more: Any) -> dict[str, Any]:
    found = Server(id="s", name="m", status=status, created=CREATED, **more)
    return {**PORT, "server_id": "s", "server": found, "server_asked": True}


def test_nothing_is_made_before_the_cluster_is_there() -> None:
    step = decide(observation(ready=False))
    assert isinstance(step, Wait)
    assert step.reason == "WaitingForClusterInfrastructure"


def test_the_port_is_made_while_bootstrap_data_is_awaited() -> None:
    assert decide(observation(bootstrap=None)) == EnsurePort()
    waiting = decide(observation(bootstrap=None, **PORT))
    assert isinstance(waiting, Wait)
    assert waiting.reason == "WaitingForBootstrapData"


def test_a_machine_that_only_waits_does_not_ask_after_its_port() -> None:
    """Of the port the status keeps the id; its address is needed again for what comes next."""
    recorded: dict[str, Any] = {"port_id": "p"}
    assert isinstance(decide(observation(bootstrap=None, **recorded)), Wait)
    assert decide(observation(**recorded)) == EnsurePort()
    control_plane = observation(control_plane=True, bootstrap=None, **recorded)
    assert decide(control_plane) == EnsurePort()


def test_a_control_plane_joins_the_load_balancer_before_its_server_exists() -> None:
    assert decide(observation(control_plane=True, **PORT)) == EnsureMember()
    assert decide(observation(control_plane=True, member_id="x", **PORT)) == EnsureServer()
    assert decide(observation(**PORT)) == EnsureServer()


def test_a_server_to_adopt_is_never_made() -> None:
    step = decide(observation(spec={"adopt_server_id": "legacy"}))
    assert step == AskServer("legacy")


def test_the_provider_id_leads_back_to_the_server_when_status_is_lost() -> None:
    lost = observation(spec={"provider_id": provider_id("tokyo", "tokyo-1", "s")})
    assert decide(lost) == AskServer("s")
    assert server_id_of("verda:///tokyo/tokyo-1/s") == "s"


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (server("BUILD"), "ServerStarting"),
        (server("SHUTOFF"), "ServerNotActive"),
        (server("ERROR", fault=Fault("Image not readable.")), "ServerFailed"),
        ({"server_id": "s", "server_asked": True}, "ServerNotFound"),
    ],
)
def test_a_server_that_is_not_active_is_waited_for_with_a_reason(
    known: dict[str, Any], reason: str
) -> None:
    step = decide(observation(**known))
    assert isinstance(step, Wait)
    assert step.reason == reason
    assert step.watch_server is (reason == "ServerStarting")
    if reason == "ServerFailed":
        assert step.message == "Image not readable."


NO_HOST = {"fault": Fault("No valid host was found. There are not enough hosts available.")}


def on_record(seen: Observation) -> Observation:
    """After the finding was published."""
    told = (Condition(type="ServerReady", status="False", reason="NoRoomInZone"),)
    status = VerdaMachineStatus(server_id="s", conditions=told)
    machine = msgspec.structs.replace(seen.machine, status=status)
    return msgspec.structs.replace(seen, machine=machine)


def test_a_zone_without_room_is_named_and_tried_again_after_a_while() -> None:
    early = msgspec.structs.replace(
        observation(**server("ERROR", **NO_HOST)), now=NOW - timedelta(seconds=55)
    )
    step = decide(early)
    assert isinstance(step, Wait)
    assert (step.reason, step.poll) == ("NoRoomInZone", 15.0)
    assert step.message.startswith("zone tokyo-1 has no room for flavor small: No valid host")
    assert "\n" not in step.message
    assert isinstance(decide(on_record(early)), Wait)


def test_a_server_without_a_host_goes_only_when_it_is_on_record_why() -> None:
    late = observation(**server("ERROR", **NO_HOST))
    assert isinstance(decide(late), Wait)
    assert decide(on_record(late)) == DiscardServer("s")


def test_the_next_attempt_is_made_when_the_server_is_gone_even_after_a_crash() -> None:
    gone = on_record(observation(**PORT, server_id="s", server_asked=True))
    assert decide(gone) == DiscardServer("s")
    assert decide(msgspec.structs.replace(gone, server_id=None)) == EnsureServer()


def test_a_server_gets_a_provider_id_once_it_runs() -> None:
    assert "providerID" not in spec_body(MACHINE, observation(**server("BUILD")))
    seen = observation(**server("ACTIVE"))
    assert spec_body(MACHINE, seen)["providerID"] == "verda:///tokyo/tokyo-1/s"


def test_a_server_that_ran_is_never_discarded() -> None:
    seen = on_record(observation(**server("ERROR", **NO_HOST)))
    status = msgspec.structs.replace(
        seen.machine.status, initialization=Initialization(provisioned=True)
    )
    machine = msgspec.structs.replace(seen.machine, status=status)
    step = decide(msgspec.structs.replace(seen, machine=machine))
    assert isinstance(step, Wait)
    assert step.reason == "ServerFailed"
    adopted = on_record(observation(spec={"adopt_server_id": "s"}, **server("ERROR", **NO_HOST)))
    assert isinstance(decide(adopted), Wait)


def test_a_machine_with_a_node_is_done() -> None:
    assert decide(observation(node="m", **server("ACTIVE"))) == Done()


def test_a_deadline_runs_from_the_servers_creation() -> None:
    assert decide(observation(**server("ACTIVE"))) == Done(recheck=540.0)
    starting = decide(observation(**server("BUILD")))
    assert isinstance(starting, Wait)
    assert starting.poll == 540.0


@pytest.mark.parametrize("status", ["ACTIVE", "BUILD", "SHUTOFF"])
def test_a_node_that_does_not_come_is_reported_with_the_console(status: str) -> None:
    known = server(status)
    late = msgspec.structs.replace(observation(**known), now=NOW + timedelta(seconds=600))
    assert decide(late) == ReadConsole("s")
    step = decide(msgspec.structs.replace(late, console="kubelet: no"))
    assert isinstance(step, Wait)
    assert step.reason == "NodeStartupTimeout"
    assert step.message.splitlines()[1] == "kubelet: no"
    assert status in step.message.splitlines()[0]
    assert step.watch_server is (status == "BUILD")


def test_user_data_is_packed_only_when_it_is_too_large() -> None:
    small, large = b"x" * 1000, b"x" * 100_000
    assert fit_user_data(small, packable=True) == small
    assert fit_user_data(large, packable=True)[:2] == b"\x1f\x8b"
    with pytest.raises(Blocked) as refused:
        fit_user_data(large, packable=False)
    assert refused.value.reason == "BootstrapDataTooLarge"
