"""The daemon that keeps a region's programs running: one per instance.

    python -m vks.local.platform.supervisor DIRECTORY

DIRECTORY holds `plan.json` (see `vks.local.platform.processes`), `run/` and `logs/`.
A supervisor that is killed leaves its programs running; the next one adopts those that still
match the plan, so a crash of the supervisor interrupts nothing. SIGTERM stops everything,
those who need others first.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path

import msgspec
import structlog

from vks.local.platform.child import Child
from vks.local.platform.control import serve_control
from vks.local.platform.launch import find, pid_path, recorded_names
from vks.local.platform.logs import open_log, rotate
from vks.local.platform.processes import Plan, Process, SupervisorState, check_plan, stop_order

log = structlog.get_logger()

ROTATE_SECONDS = 30.0
GRACE_SECONDS = 10.0


class AlreadyRunningError(RuntimeError):
    """Another supervisor holds this directory."""


def lock(run: Path) -> int:
    """Holds the instance until the process ends. Raises AlreadyRunningError."""
    run.mkdir(parents=True, exist_ok=True)
    fd = os.open(run / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise AlreadyRunningError(f"a supervisor runs already in {run}") from None
    return fd


class Supervisor:
    """Converges what runs towards the plan."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.run_dir = home / "run"
        self.logs = home / "logs"
        self._plan = Plan(processes=())
        self._children: dict[str, Child] = {}
        self._ready: dict[str, asyncio.Event] = {}
        self._serial = asyncio.Lock()
        self._watchers: set[asyncio.Event] = set()
        self.stopping = asyncio.Event()

    async def reload(self) -> None:
        """Reads the plan again: new programs start, dropped ones stop, changed ones do both."""
        async with self._serial:
            plan = msgspec.json.decode((self._home / "plan.json").read_bytes(), type=Plan)
            check_plan(plan)
            wanted = {process.name: process for process in plan.processes}
            old = tuple(child.process for child in self._children.values())
            await self._stop([p for p in old if wanted.get(p.name) != p])
            await self._stop_strays(set(wanted))
            self._plan = plan
            for process in plan.processes:
                if process.name not in self._children:
                    self._children[process.name] = child = self._child(process)
                    child.start()
            self.publish()

    async def stop(self) -> None:
        """Stops every program; returns when the last one has ended."""
        async with self._serial:
            await self._stop([child.process for child in self._children.values()])
            await self._stop_strays(set())
            self.publish()

    async def restart(self, name: str) -> bool:
        """False when there is no such program."""
        child = self._children.get(name)
        if child is None:
            return False
        await child.restart()
        return True

    def state(self) -> SupervisorState:
        return SupervisorState(
            pid=os.getpid(),
            plan=self._plan.digest(),
            processes=tuple(child.state for child in self._children.values()),
        )

    def publish(self) -> None:
        """Writes the state down, atomically, and wakes those who watch."""
        partial = self.run_dir / "state.json.tmp"
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(self.state())))
        partial.replace(self.run_dir / "state.json")
        for watcher in self._watchers:
            watcher.set()

    def subscribe(self) -> asyncio.Event:
        """An event that is set on every change; hand it back to `unsubscribe`."""
        event = asyncio.Event()
        self._watchers.add(event)
        return event

    def unsubscribe(self, event: asyncio.Event) -> None:
        self._watchers.discard(event)

    async def rotate_logs(self) -> None:
        while True:
            for name in (*self._children, "supervisor"):
                if rotate(self.logs, name):
                    log.info("log rotated", process=name)
            await asyncio.sleep(ROTATE_SECONDS)

    def _child(self, process: Process) -> Child:
        return Child(process, self.run_dir, self.logs, self._event, self.publish)

    def _event(self, name: str) -> asyncio.Event:
        """Set while that program is ready; the same object for as long as the supervisor lives."""
        return self._ready.setdefault(name, asyncio.Event())

    async def _stop(self, processes: list[Process]) -> None:
        """Dependents among `processes` first; what others still need may stop too."""
        names = {process.name for process in processes}
        for group in stop_order(child.process for child in self._children.values()):
            group = [name for name in group if name in names]
            await asyncio.gather(*(self._children[name].stop() for name in group))
            for name in group:
                del self._children[name]
                self._event(name).clear()

    async def _stop_strays(self, wanted: set[str]) -> None:
        """Programs that an earlier supervisor started and the plan no longer has."""
        names = [n for n in recorded_names(self.run_dir) if n not in wanted | self._children.keys()]
        await asyncio.gather(*(self._stop_stray(name) for name in names))

    async def _stop_stray(self, name: str) -> None:
        if found := find(name, self.run_dir):
            log.info("stopping a stray process", process=name)
            await found.handle.terminate(GRACE_SECONDS)
            found.handle.close()
        pid_path(self.run_dir, name).unlink(missing_ok=True)


async def serve(home: Path) -> None:
    """Supervises until SIGTERM or SIGINT, then stops every program."""
    supervisor = Supervisor(home)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stopping.set)
    rotation = asyncio.create_task(supervisor.rotate_logs())
    async with serve_control(supervisor):
        await supervisor.reload()
        await supervisor.stopping.wait()
        await supervisor.stop()
    rotation.cancel()
    (supervisor.run_dir / "state.json").unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Detaches from the caller and supervises; 1 when another supervisor is there already."""
    home = Path(arguments[0])
    if os.fork() > 0:  # the caller gets its prompt back; nobody has to reap the daemon
        os._exit(0)
    os.setsid()
    output = open_log(home / "logs", "supervisor")
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.chdir("/")
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ]
    )
    try:
        held = lock(home / "run")
    except AlreadyRunningError as error:
        log.warning("not started", reason=str(error))
        return 1
    asyncio.run(serve(home))
    os.close(held)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
