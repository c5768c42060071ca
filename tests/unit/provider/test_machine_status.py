"""What a machine's status says of its server."""

from __future__ import annotations

from tests.unit.provider.test_decide import observation, server

from vks.provider.verdamachine.status import new_status
from vks.resources.verdamachine import VerdaMachineStatus

TAKEN_OVER = {"adopt_server_id": "s", "provider_id": "verda:///tokyo/tokyo-1/s"}


def provisioned(status: str, spec: dict[str, str] | None = None) -> bool:
    seen = observation(spec=spec, **server(status))
    return bool(new_status(seen, VerdaMachineStatus()).initialization.provisioned)


def test_a_server_is_provisioned_when_it_runs() -> None:
    assert provisioned("ACTIVE")
    assert not provisioned("BUILD")


def test_one_that_was_taken_over_has_been_even_if_it_died_since() -> None:
    """Its node is known by it: whoever repairs the machine has to know that too."""
    assert provisioned("SHUTOFF", TAKEN_OVER)
    assert not provisioned("SHUTOFF", {"adopt_server_id": "s"}), "without a provider id"
    seen = observation(spec=TAKEN_OVER)
    assert not new_status(seen, VerdaMachineStatus()).initialization.provisioned, "not asked yet"
