"""Looks at the network namespaces of a region's servers, over and over: what is really plugged.

Nothing here asks our own records: the kernel's addresses are the only source.
"""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

NETNS = Path("/run/netns")


def addresses(netns: str) -> dict[str, str]:
    """The namespace's IPv4 addresses, each with its interface's MAC; none when it is gone."""
    done = subprocess.run(
        ["ip", "-n", netns, "-json", "address"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return {}
    return {
        info["local"]: link["address"]
        for link in json.loads(done.stdout or "[]")
        for info in link.get("addr_info", ())
        if info["family"] == "inet" and info["scope"] == "global"
    }


class KernelWatch:
    """Counts addresses that two servers of a region have at a time, until it is stopped."""

    def __init__(self, fabric: str) -> None:
        self._prefix = f"{fabric}."
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kernel-watch")
        self.looks = 0
        self.duplicates: list[str] = []
        self.failure: Exception | None = None

    def __enter__(self) -> KernelWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def servers(self) -> list[str]:
        """The namespaces of servers that there are."""
        return [path.name for path in NETNS.glob(f"{self._prefix}*")]

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.1):
                self._look()
        except Exception as error:
            self.failure = error

    def _look(self) -> None:
        first: dict[str, str] = {}
        for netns in self.servers():
            for address in addresses(netns):
                other = first.setdefault(address, netns)
                # The other one was read earlier: it must have the address still.
                if other != netns and address in addresses(other):
                    self.duplicates.append(f"{address}: {other}, {netns}")
        self.looks += 1
