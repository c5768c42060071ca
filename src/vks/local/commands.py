"""Runs a long program to its end: its output goes to a log file and to a progress step."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from vks.local.progress import Step

_TAIL_LINES = 30

#: Runs what follows in a process and mount namespace of its own that ends with this process:
#: a builder that is killed leaves neither processes nor mounts behind.
CONTAINED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)


class CommandError(RuntimeError):
    """The program ended with a failure; the message holds the end of its output."""


def run_logged(
    command: Sequence[str],
    step: Step,
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run `command`, appending what it prints to `log`; its newest line is the step's detail.

    Raises CommandError when it cannot be started or exits with another code than 0.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise CommandError(f"{command[0]} is not installed") from error
    with process, log.open("a") as file:
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        try:
            for line in process.stdout:
                file.write(line)
                tail.append(line)
                step.detail(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise CommandError(
            f"{' '.join(command[:6])} … exited with {process.returncode} (log: {log}):\n"
            + "".join(tail)
        )
