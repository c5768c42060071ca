"""Starts the stack's processes and ends them, also those of a run that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

#: Writes the pid before the program starts: a killed launcher leaves no unlisted process.
_LAUNCH = 'echo $$ > "$0" && exec nice "$@"'


class StackError(RuntimeError):
    """A part of the stack did not start or gave up; the message ends with its log."""


@dataclass
class ProcessTable:
    """The processes of one stack: a session each, listed in `run/NAME.pid`."""

    run: Path
    log: Path
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        env: Mapping[str, str],
        cwd: Path | None = None,
    ) -> None:
        """Start `argv` in the background, in a session of its own and below our directory."""
        with (self.log / f"{name}.out").open("ab") as out:
            self._children[name] = subprocess.Popen(
                ["/bin/sh", "-c", _LAUNCH, self._pid_file(name), *map(str, argv)],
                cwd=cwd or self.run, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **env},
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def wait_until(self, ready: Callable[[], bool], what: str, timeout: float = 180) -> None:
        """Poll until `ready()`; raise StackError when a process ends or `timeout` s pass."""
        deadline = time.monotonic() + timeout
        while not ready():
            for name, child in self._children.items():
                if child.poll() is not None:
                    raise StackError(f"{name} ended with {child.returncode}: {self._tail(name)}")
            if time.monotonic() > deadline:
                raise StackError(f"{what}: not within {timeout} s; logs are in {self.log}")
            time.sleep(0.1)

    def alive(self) -> list[str]:
        """Names of the listed processes that run."""
        return sorted(p.stem for p in self.run.glob("*.pid") if self._leader(p) is not None)

    def stop(self, name: str, sig: signal.Signals = signal.SIGTERM, timeout: float = 30) -> None:
        """Signal one process and wait until it is gone. Raises StackError if it stays."""
        pid = self._leader(self._pid_file(name))
        if pid is not None:
            os.kill(pid, sig)
            self._wait_gone([pid], timeout)
        self._children.pop(name, None)

    def kill_all(self) -> None:
        """End everything that is listed, with its children. The data is disposable."""
        leaders = [self._leader(path) for path in self.run.glob("*.pid")]
        pids = [pid for pid in leaders if pid is not None]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self._wait_gone(pids, timeout=10)
        self._children.clear()

    def _pid_file(self, name: str) -> Path:
        return self.run / f"{name}.pid"

    def _leader(self, pid_file: Path) -> int | None:
        """The process that the file lists, if it still is ours: it works below our directory."""
        try:
            pid = int(pid_file.read_text())
            directory = Path(f"/proc/{pid}/cwd").readlink()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if directory.is_relative_to(self.run.parent) else None

    def _wait_gone(self, pids: Sequence[int], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while left := [pid for pid in pids if self._exists(pid)]:
            if time.monotonic() > deadline:
                raise StackError(f"processes {left} did not end")
            time.sleep(0.05)

    def _exists(self, pid: int) -> bool:
        for child in self._children.values():
            child.poll()  # reap ours
        return is_running(pid)

    def _tail(self, name: str) -> str:
        lines: list[str] = []
        for path in sorted(self.log.glob(f"{name}*")):
            lines += [f"--- {path}", *path.read_text(errors="replace").splitlines()[-15:]]
        return "\n".join(lines)


def is_running(pid: int) -> bool:
    """Whether the process exists and is not a zombie, which only its parent can remove."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
