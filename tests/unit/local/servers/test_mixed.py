"""Real and hollow servers behind one back end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.local.servers.test_configdrive import SPEC

from vks.local.cloud.records import RecordsBackend
from vks.local.servers import Flavor, PowerChange, PowerState, ServerError, ServerSpec
from vks.local.servers.mixed import MixedBackend

HOLLOW = replace(SPEC, id="hollow-1", flavor=Flavor("hollow-small", 1, 2048, hollow=True))
PORT = SPEC.ports[0]


class Both:
    """A back end in front of two that only keep records."""

    def __init__(self, most_real: int = 10) -> None:
        self.real, self.hollow = RecordsBackend(), RecordsBackend()
        self.mixed = MixedBackend(self.real, self.hollow, most_real)


async def test_the_flavor_says_which_kind_a_server_is() -> None:
    both = Both()
    await both.mixed.ensure_running(SPEC)
    await both.mixed.ensure_running(HOLLOW)
    assert await both.real.list() == {SPEC.id: PowerState.RUNNING}
    assert await both.hollow.list() == {HOLLOW.id: PowerState.RUNNING}
    assert (await both.mixed.list()).keys() == {SPEC.id, HOLLOW.id}


@pytest.mark.parametrize("server", [SPEC, HOLLOW], ids=["real", "hollow"])
async def test_every_call_reaches_the_one_that_has_the_server(server: ServerSpec) -> None:
    both = Both()
    behind, other = (both.real, both.hollow) if server is SPEC else (both.hollow, both.real)
    await both.mixed.ensure_running(server)
    await both.mixed.stop(server.id)
    assert await behind.list() == {server.id: PowerState.SHUTDOWN}
    await both.mixed.start(server.id)
    await both.mixed.reboot(server.id, hard=True)
    await both.mixed.plug_port(server.id, PORT)
    await both.mixed.unplug_port(server.id, PORT.id)
    console = await both.mixed.console_output(server.id)
    assert [line.split()[0] for line in console.splitlines()[1:]] == [
        *("stopped", "started", "reset"),
        *("port", "port"),
    ]
    await both.mixed.delete(server.id)
    assert await behind.list() == await other.list() == {}


async def test_a_successor_knows_which_servers_are_hollow() -> None:
    both = Both()
    await both.mixed.ensure_running(HOLLOW)
    successor = MixedBackend(both.real, both.hollow, 10)
    await successor.open()
    await successor.stop(HOLLOW.id)
    await successor.delete(HOLLOW.id)
    assert await both.hollow.list() == {}


async def test_real_servers_are_bounded_and_hollow_ones_are_not() -> None:
    both = Both(most_real=1)
    await both.mixed.ensure_running(SPEC)
    await both.mixed.ensure_running(SPEC)
    with pytest.raises(ServerError, match="No valid host was found"):
        await both.mixed.ensure_running(replace(SPEC, id="another"))
    for number in range(3):
        await both.mixed.ensure_running(replace(HOLLOW, id=f"hollow-{number}"))


async def test_a_real_server_that_goes_down_is_heard_of() -> None:
    both = Both()
    await both.mixed.ensure_running(SPEC)
    both.real.crash(SPEC.id)
    assert await anext(both.mixed.changes()) == PowerChange(SPEC.id, PowerState.SHUTDOWN)
