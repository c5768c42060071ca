"""The supervisor keeps real programs running, and finds them again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from vks.local.platform.control import Connection, ControlError, Request, serve_control
from vks.local.platform.launch import find
from vks.local.platform.processes import Plan, Process, ProcessState
from vks.local.platform.procfs import identity
from vks.local.platform.supervisor import AlreadyRunningError, Supervisor, lock

PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def _sleeper(name: str, *needs: str, seconds: int = 600) -> Process:
    return Process(name=name, argv=("sleep", str(seconds)), env=PATH, depends_on=needs)


def _supervisor(home: Path, *processes: Process) -> Supervisor:
    (home / "run").mkdir(parents=True, exist_ok=True)
    (home / "plan.json").write_bytes(msgspec.json.encode(Plan(processes=processes)))
    return Supervisor(home)


async def _until(
    supervisor: Supervisor, name: str, wanted: Callable[[ProcessState], bool]
) -> ProcessState:
    changed = supervisor.subscribe()
    async with asyncio.timeout(10):
        while True:
            changed.clear()
            for state in supervisor.state().processes:
                if state.name == name and wanted(state):
                    return state
            await changed.wait()


def _ready(state: ProcessState) -> bool:
    return state.phase == "Ready"


async def test_a_killed_program_comes_back(tmp_path: Path) -> None:
    supervisor = _supervisor(tmp_path, _sleeper("a"))
    await supervisor.reload()
    first = await _until(supervisor, "a", _ready)
    os.kill(first.pid, signal.SIGKILL)
    second = await _until(supervisor, "a", lambda s: s.phase == "Ready" and s.restarts == 1)
    assert second.pid != first.pid
    await supervisor.stop()
    assert identity(second.pid) is None


async def test_a_program_that_is_restarted_on_demand_comes_back(tmp_path: Path) -> None:
    supervisor = _supervisor(tmp_path, _sleeper("a"))
    await supervisor.reload()
    first = await _until(supervisor, "a", _ready)
    assert await supervisor.restart("a")
    second = await _until(supervisor, "a", lambda s: s.phase == "Ready" and s.pid != first.pid)
    assert identity(first.pid) is None
    await supervisor.stop()
    assert identity(second.pid) is None


async def test_a_new_supervisor_adopts_what_runs_and_replaces_what_changed(tmp_path: Path) -> None:
    first = _supervisor(tmp_path, _sleeper("kept"), _sleeper("changed"), _sleeper("dropped"))
    await first.reload()
    before = {n: await _until(first, n, _ready) for n in ("kept", "changed", "dropped")}
    for child in first._children.values():  # what a kill -9 leaves: programs, no supervision
        await child._abandon()

    second = _supervisor(tmp_path, _sleeper("kept"), _sleeper("changed", seconds=601))
    await second.reload()
    kept = await _until(second, "kept", _ready)
    changed = await _until(second, "changed", _ready)
    assert kept.pid == before["kept"].pid
    assert changed.pid != before["changed"].pid
    assert identity(before["dropped"].pid) is None or find("dropped", tmp_path / "run") is None
    await second.stop()
    assert not list((tmp_path / "run").glob("*.pid"))


async def test_a_program_waits_for_a_one_shot_to_succeed(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    once = Process(
        name="once",
        argv=("sh", "-c", f"test -e {flag} || {{ touch {flag}; exit 3; }}"),
        env=PATH,
        one_shot=True,
    )
    supervisor = _supervisor(tmp_path, once, _sleeper("after", "once"))
    await supervisor.reload()
    await _until(supervisor, "after", _ready)
    done = await _until(supervisor, "once", lambda s: s.phase == "Done")
    assert done.restarts == 1
    await supervisor.stop()


async def test_a_program_that_cannot_start_says_how_it_ended(tmp_path: Path) -> None:
    bad = Process(name="bad", argv=("/does/not/exist",), env=PATH)
    supervisor = _supervisor(tmp_path, bad)
    await supervisor.reload()
    state = await _until(supervisor, "bad", lambda s: s.phase == "BackOff")
    assert "exit code 127" in state.detail
    await supervisor.stop()


def test_a_second_supervisor_is_rejected(tmp_path: Path) -> None:
    held = lock(tmp_path)
    with pytest.raises(AlreadyRunningError):
        lock(tmp_path)
    os.close(held)
    os.close(lock(tmp_path))


async def test_the_control_socket_tells_states_and_refusals(tmp_path: Path) -> None:
    supervisor = _supervisor(tmp_path, _sleeper("a"))
    await supervisor.reload()
    await _until(supervisor, "a", _ready)

    def ask(request: Request) -> str:
        try:
            state = next(Connection(tmp_path / "run", request, 5.0).states())
        except ControlError as error:
            return str(error)
        return state.processes[0].phase

    async with serve_control(supervisor):
        assert await asyncio.to_thread(ask, Request(do="watch")) == "Ready"
        assert "ghost" in await asyncio.to_thread(ask, Request(do="restart", name="ghost"))
    await supervisor.stop()
