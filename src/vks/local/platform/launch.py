"""Starts a supervised program, and finds it again when its supervisor was killed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from vks.local.platform.logs import open_log
from vks.local.platform.processes import Process
from vks.local.platform.procfs import Handle, environment, identity, parse_stat

#: In the environment of a supervised program: DIRECTORY/NAME#FINGERPRINT.
MARKER = "VKS_SUPERVISED"

#: The program writes its own identity down before it becomes itself: there is no moment at
#: which a killed supervisor leaves a program behind that its successor cannot find.
_WRITE_IDENTITY = 'read -r stat </proc/$$/stat && echo "$stat" >"$0" && exec "$@"'


def pid_path(run: Path, name: str) -> Path:
    return run / f"{name}.pid"


def launch(process: Process, run: Path, logs: Path) -> subprocess.Popen[bytes]:
    """Starts the program in a session of its own, its output appended to its log.

    Raises OSError when it cannot be started at all; a missing program shows as exit code 127.
    """
    argv = ["/bin/sh", "-c", _WRITE_IDENTITY, str(pid_path(run, process.name)), *process.argv]
    if process.netns:
        argv = ["nsenter", f"--net={process.netns}", "--", *argv]
    log = open_log(logs, process.name)
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**process.env, MARKER: _marker(run, process.name, process.fingerprint())},
            start_new_session=True,
        )
    finally:
        os.close(log)


class Found:
    """A program of ours that runs already, and which definition it was started from."""

    def __init__(self, handle: Handle, fingerprint: str) -> None:
        self.handle = handle
        self.fingerprint = fingerprint


def find(name: str, run: Path) -> Found | None:
    """The running program of that name, if it is alive and really ours."""
    try:
        who = parse_stat(pid_path(run, name).read_text())
    except FileNotFoundError:
        return None
    if who is None or identity(who.pid) != who:
        return None
    prefix, _, fingerprint = environment(who.pid).get(MARKER, "").rpartition("#")
    if prefix != str(run / name):
        return None
    handle = Handle.open(who)
    return None if handle is None else Found(handle, fingerprint)


def recorded_names(run: Path) -> list[str]:
    """Every program that was ever started from this directory and not cleaned up."""
    return sorted(path.stem for path in run.glob("*.pid"))


def _marker(run: Path, name: str, fingerprint: str) -> str:
    return f"{run / name}#{fingerprint}"
