"""Reads and changes one network namespace through `ip -batch` and `ip -json`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vks.local.fabric.command import CommandError, in_netns, run
from vks.local.fabric.lock import InheritedLock
from vks.local.fabric.names import NetworkAlias, PortAlias, decode_alias
from vks.local.fabric.netns import NETNS_DIR

#: Route protocol number of pod routes: tells them from the routes of the network itself.
POD_ROUTES = "81"


@dataclass(frozen=True, slots=True)
class Link:
    """An interface of the fabric with the owner that its alias names."""

    name: str
    altnames: frozenset[str]
    owner: NetworkAlias | PortAlias | None
    addresses: frozenset[str]  # IPv4, without prefix length


class Kernel:
    """The fabric's namespace; changes are made one after the other, under `changing`."""

    def __init__(self, netns: str, lock_file: Path) -> None:
        self.netns = netns
        self._lock = InheritedLock(lock_file)
        self._lock_fds: tuple[int, ...] = ()

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[tuple[int, ...]]:
        """Excludes every other changer; gives the descriptors for programs to inherit."""
        async with self._lock.held() as handle:
            self._lock_fds = (handle,)
            try:
                yield self._lock_fds
            finally:
                self._lock_fds = ()

    async def batch(self, lines: Iterable[str], *, netns: str | None = None) -> None:
        """Applies `ip` commands in order, stopping at the first that fails (CommandError)."""
        text = "".join(f"{line}\n" for line in lines)
        if text:
            argv = ("ip", "-n", netns or self.netns, "-batch", "-")
            await run(*argv, stdin=text, pass_fds=self._lock_fds)

    async def nft(self, ruleset: str) -> None:
        """Applies an nftables ruleset as one transaction."""
        argv = in_netns(NETNS_DIR / self.netns, "nft", "-f", "-")
        await run(*argv, stdin=ruleset, pass_fds=self._lock_fds)

    async def links(self) -> dict[str, Link]:
        """Every interface of the fabric, the loopback device included."""
        return {
            row["ifname"]: Link(
                name=row["ifname"],
                altnames=frozenset(row.get("altnames", ())),
                owner=decode_alias(row.get("ifalias")),
                addresses=frozenset(
                    info["local"] for info in row["addr_info"] if info["family"] == "inet"
                ),
            )
            for row in await self._show("addr", "show")
        }

    async def rule_tables(self) -> list[tuple[str, int]]:
        """The policy rules that we made, as (selector, table): ("iif NAME" or "mark", table)."""
        found = []
        for row in await self._show("rule", "show"):
            table = row.get("table", "")
            if str(table).isdigit():
                selector = f"iif {row['iif']}" if "iif" in row else "mark"
                found.append((selector, int(table)))
        return found

    async def pod_routes(self, table: int | None = None) -> dict[int, dict[str, str]]:
        """Pod routes by table, as {destination: next hop}."""
        tables: dict[int, dict[str, str]] = {}
        which = "all" if table is None else str(table)
        try:
            rows = await self._show("route", "show", "table", which, "proto", POD_ROUTES)
        except CommandError as error:
            if "FIB table does not exist" not in error.stderr:
                raise
            return {}
        for row in rows:
            number = int(row["table"]) if table is None else table
            tables.setdefault(number, {})[_with_prefix(row["dst"])] = row["gateway"]
        return tables

    async def flush(self, table: int) -> None:
        """Removes every route of the table."""
        try:
            await self.batch([f"route flush table {table}"])
        except CommandError as error:
            if "FIB table does not exist" not in error.stderr:
                raise

    async def _show(self, *what: str) -> list[dict[str, Any]]:
        argv = ("ip", "-n", self.netns, "-json", "-details", *what)
        text = await run(*argv, pass_fds=self._lock_fds)
        # ip prints empty objects for the rows that a filter left out
        return [row for row in json.loads(text or "[]") if row]


def _with_prefix(destination: str) -> str:
    return destination if "/" in destination else f"{destination}/32"
