"""One supervised program: wait for what it needs, start or adopt it, watch it, start again."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from vks.local.platform import probes
from vks.local.platform.launch import find, launch, pid_path
from vks.local.platform.processes import Phase, Process, ProcessState
from vks.local.platform.procfs import Handle, identity

log = structlog.get_logger()

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0
#: A program that served this long is taken for healthy: its next crash is its first again.
STEADY_SECONDS = 10.0
_SUCCESS = "exit code 0"
_PROBE_FIRST = 0.05
_PROBE_LONGEST = 0.4
_PROBE_STEADY = 10.0


def back_off(crashes: int) -> float:
    """Seconds to wait before start number `crashes` + 1: 0.1, 0.2, 0.4 … 5."""
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** max(0, crashes - 1))


@dataclass
class _Running:
    handle: Handle
    parent: subprocess.Popen[bytes] | None  # None: adopted from an earlier supervisor


class Child:
    """Runs until cancelled; the program itself survives the cancellation (see `stop`)."""

    def __init__(
        self,
        process: Process,
        run: Path,
        logs: Path,
        ready: Callable[[str], asyncio.Event],
        changed: Callable[[], None],
    ) -> None:
        self.process = process
        self.state = ProcessState(name=process.name, since=_now())
        self._run_dir = run
        self._logs = logs
        self._ready = ready
        self._changed = changed
        self._running: _Running | None = None
        self._crashes = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name=self.process.name)

    async def stop(self) -> None:
        """Ends the supervision and then the program, gently first."""
        self._set("Stopping")
        await self._abandon()
        if self._running is not None:
            await self._running.handle.terminate(self.process.stop_seconds)
            self._reap()
        elif found := find(self.process.name, self._run_dir):  # given up while replacing it
            await found.handle.terminate(self.process.stop_seconds)
            found.handle.close()
        pid_path(self._run_dir, self.process.name).unlink(missing_ok=True)
        self._set("Stopped", pid=0, start_time=0, ready_since=None)

    async def restart(self) -> None:
        """Ends the program; the supervision starts it again at once."""
        if self._running is not None:
            await self._running.handle.terminate(self.process.stop_seconds)

    async def _abandon(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled() and (error := self._task.exception()):
                log.error("supervision failed", process=self.process.name, error=repr(error))

    async def _keep(self) -> None:
        while True:
            await self._dependencies()
            began = time.monotonic()
            detail = await self._begin() or await self._watch()
            if self.process.one_shot and detail == _SUCCESS:
                self._set("Done", pid=0, start_time=0, ready_since=_now())
                self._ready(self.process.name).set()
                return
            if time.monotonic() - began > STEADY_SECONDS:
                self._crashes = 0
            self._crashes += 1
            delay = back_off(self._crashes)
            log.warning("process ended", process=self.process.name, detail=detail, delay=delay)
            self._set(
                "BackOff",
                pid=0,
                start_time=0,
                ready_since=None,
                detail=detail,
                restarts=self.state.restarts + 1,
            )
            await asyncio.sleep(delay)

    async def _dependencies(self) -> None:
        for name in self.process.depends_on:
            event = self._ready(name)
            if not event.is_set():
                self._set("Waiting", detail=f"waits for {name}")
                await event.wait()

    async def _begin(self) -> str:
        """Adopts the program when it runs as wanted; replaces one that was defined otherwise.

        Empty when it runs, else how it ended.
        """
        found = find(self.process.name, self._run_dir)
        if found is not None and found.fingerprint != self.process.fingerprint():
            await found.handle.terminate(self.process.stop_seconds)
            found.handle.close()
            found = None
        if found is not None:
            self._running = _Running(found.handle, None)
        else:
            try:
                parent = launch(self.process, self._run_dir, self._logs)
            except OSError as error:
                return f"cannot be started: {error}"
            who = identity(parent.pid)
            handle = None if who is None else Handle.open(who)
            if handle is None:
                return _ending(parent.wait())
            self._running = _Running(handle, parent)
        who = self._running.handle.identity
        self._set("Starting", pid=who.pid, start_time=who.start_time, detail="")
        return ""

    async def _watch(self) -> str:
        """Follows readiness until the program ends; says how it ended."""
        running = self._running
        if running is None:
            raise RuntimeError("nothing is running")
        prober = asyncio.create_task(self._probe())
        try:
            await running.handle.wait()
        finally:
            prober.cancel()
        self._ready(self.process.name).clear()
        return self._reap()

    def _reap(self) -> str:
        running, self._running = self._running, None
        if running is None:
            return ""
        running.handle.close()
        if running.parent is None:
            return "ended"
        return _ending(running.parent.wait())

    async def _probe(self) -> None:
        if self.process.one_shot:
            return
        interval = _PROBE_FIRST
        while True:
            problem = await self._ask()
            if not problem:
                self._became_ready()
                interval = _PROBE_STEADY
            elif self.state.phase in ("Ready", "Unready"):
                self._set("Unready", detail=problem)
                interval = 1.0
            else:
                self._set("Starting", detail=problem)
                interval = min(_PROBE_LONGEST, interval * 1.5)
            await asyncio.sleep(interval)

    async def _ask(self) -> str:
        if self.process.probe is None:
            return ""
        netns = Path(self.process.netns) if self.process.netns else None
        return await probes.ready(self.process.probe, netns)

    def _became_ready(self) -> None:
        if self.state.phase != "Ready":
            self._set("Ready", ready_since=_now(), detail="")
        self._ready(self.process.name).set()

    def _set(self, phase: Phase, **fields: object) -> None:
        changes = {"phase": phase, **fields}
        if phase != self.state.phase:
            changes["since"] = _now()
        state = msgspec.structs.replace(self.state, **changes)
        if state != self.state:
            self.state = state
            self._changed()


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
