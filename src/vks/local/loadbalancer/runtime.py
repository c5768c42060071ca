"""Talks to a running HAProxy through its stats socket."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path

from vks.local.loadbalancer.render import effective_weight, pool_name
from vks.local.loadbalancer.types import AdminState, LoadBalancer, OperatingStatus

_ANSWER_SECONDS = 2.0


async def ask(socket: Path, *commands: str) -> str | None:
    """What the worker answers, or None when nobody does."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(("; ".join(commands) + "\n").encode())
                writer.write_eof()  # the master would wait for more
                return (await reader.read()).decode(errors="replace")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None


async def running_generation(socket: Path) -> str | None:
    """The generation of the configuration that the newest worker runs."""
    answer = await ask(socket, "show info")
    for line in (answer or "").splitlines():
        key, _, value = line.partition(":")
        if key == "description":
            return value.strip()
    return None


def member_commands(lb: LoadBalancer) -> list[str]:
    """Brings weights and admin states of all members to what is wanted; all are idempotent."""
    commands = []
    for pool in lb.pools:
        for member in pool.members:
            name = f"{pool_name(pool.id)}/{member.id}"
            state = "maint" if member.admin_state is AdminState.DISABLED else "ready"
            commands += [
                f"set server {name} state {state}",
                f"set server {name} weight {effective_weight(member)}",
            ]
    return commands


def old_workers(processes: str) -> list[str]:
    """Ids of the workers from before a reload, out of the master's `show proc`."""
    _, _, old = processes.partition("# old workers")
    lines = old.partition("# programs")[0].splitlines()
    return [words[0] for line in lines if (words := line.split()) and words[0].isdecimal()]


def sessions_of_disabled(lb: LoadBalancer, sessions: str) -> list[str]:
    """Ids of the connections to disabled members, out of an old worker's `show sess`. It does not
    hear of what `member_commands` says to the newest one, and its proxies are stopped."""
    disabled = {
        f"be={pool_name(pool.id)} srv={member.id} "
        for pool in lb.pools
        for member in pool.members
        if member.admin_state is AdminState.DISABLED
    }
    return [
        line.partition(":")[0]
        for line in sessions.splitlines()
        if any(server in line for server in disabled)
    ]


def member_states(stat: str) -> dict[str, OperatingStatus]:
    """Member states out of `show stat` (CSV whose header begins with "# ")."""
    rows = csv.DictReader(io.StringIO(stat.removeprefix("# ")))
    return {
        row["svname"]: _status(row["status"], row["weight"])
        for row in rows
        if row["svname"] not in ("FRONTEND", "BACKEND")
    }


def _status(status: str, weight: str) -> OperatingStatus:
    if status.startswith(("DOWN", "MAINT", "NOLB")):
        return OperatingStatus.OFFLINE
    if status.startswith("DRAIN") or weight == "0":
        return OperatingStatus.DRAINING
    if status == "no check":
        return OperatingStatus.NO_MONITOR
    return OperatingStatus.ONLINE
