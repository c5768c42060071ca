"""Runs the system's own programs (ip, nft, btrfs, lxc-start, haproxy) without a shell."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterable, Sequence
from pathlib import Path


class CommandError(Exception):
    """A program ended with a status other than 0, or did not end in time (status -1)."""

    def __init__(self, argv: Sequence[str], status: int, stderr: str) -> None:
        super().__init__(f"{' '.join(argv)}: status {status}: {stderr.strip()}")
        self.status = status
        self.stderr = stderr


async def run(
    *argv: str, stdin: str | None = None, pass_fds: Iterable[int] = (), timeout: float = 30.0
) -> str:
    """Runs a program to its end and returns what it wrote on standard output.

    `pass_fds` stay open in the program: a lock held through one of them outlives this process
    for as long as the program runs. Cancelled or out of time (seconds), the program is killed.
    Raises CommandError.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=DEVNULL if stdin is None else PIPE,
        stdout=PIPE,
        stderr=PIPE,
        pass_fds=tuple(pass_fds),
    )
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate(None if stdin is None else stdin.encode())
    except TimeoutError:
        raise CommandError(argv, -1, f"no end within {timeout:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise CommandError(argv, process.returncode, err.decode(errors="replace"))
    return out.decode(errors="replace")


def in_netns(netns: Path, *argv: str) -> tuple[str, ...]:
    """The command line that runs `argv` in that network namespace and in this mount namespace.

    Not `ip netns exec`, which mounts another /sys and so hides the cgroups.
    """
    return ("nsenter", f"--net={netns}", "--", *argv)
