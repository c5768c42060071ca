"""Clients that use a cluster all the time and count what fails: `python -m tests.support.probes`.

Requests begin at a fixed rate, whether or not earlier ones have been answered. Each that fails is
repeated once, as client-go repeats it; both counts are kept. A watch has to see every write that
was acknowledged, and every object whose making was acknowledged has to be there in the end. Run
inside a region's fabric.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
from tests.support.counts import RETRY_AFTER, Count, RefusedError
from tests.support.seen import Seen

from vks.kube.config import ClientConfig

API_HZ = 10.0
HTTP_HZ = 20.0
LEDGER_HZ = 2.0
#: Seconds until a request counts as failed (client-go waits for ever).
_TIMEOUT = 15.0
#: Seconds after which a watch has told what was acknowledged.
_SEEN_WITHIN = 2.0
#: Requests of each client before the probes end, however soon they are asked to.
ENOUGH = 60
_MERGE = {"Content-Type": "application/merge-patch+json"}


class Probes:
    """`node_port` is that of the workload's Service; its nodes are looked up all the time."""

    def __init__(
        self, kubeconfig: Path, session: aiohttp.ClientSession, port: int, hz: float = API_HZ
    ) -> None:
        self._kubeconfig = kubeconfig
        self._server = ClientConfig.from_kubeconfig(kubeconfig).server
        self._session = session
        self._port = port
        self._period = 2 / hz
        self.acknowledged: set[int] = set()
        self.seen = Seen()
        self._taking_part: list[str] = []
        self._well: set[str] = set()
        self._nodes: list[str] = []
        self._written = self._turn = 0
        self._ledger = f"ledger-{secrets.token_hex(4)}"
        self._booked: set[str] = set()
        self.counts = {"apiRead": Count(), "apiWrite": Count(), "make": Count(), "http": Count()}
        self._enough = asyncio.Event()

    async def run(self, asked_to_end: asyncio.Event) -> None:
        stop = asyncio.Event()
        while not self._nodes:
            await self._find_nodes()
            await asyncio.sleep(RETRY_AFTER)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(1.0, self._find_nodes, stop))
            read, write = self._count("apiRead", self._read), self._count("apiWrite", self._write)
            group.create_task(self._every(self._period, read, stop))
            group.create_task(self._every(self._period, write, stop))
            group.create_task(self._every(1 / LEDGER_HZ, self._book, stop))
            group.create_task(self._every(1 / HTTP_HZ, self._ask_workload, stop))
            watching = group.create_task(self._watch())
            await asked_to_end.wait()
            await self._enough.wait()
            stop.set()
            for count in self.counts.values():
                count.answered()  # or rather not: a silence may last until now
            await asyncio.sleep(_SEEN_WITHIN)  # what was acknowledged last
            watching.cancel()

    async def _attempt(self, name: str, send: Callable[[], Awaitable[None]]) -> None:
        await self.counts[name].attempt(send)
        if min(count.requests for count in self.counts.values()) >= ENOUGH:
            self._enough.set()

    def _count(
        self, name: str, send: Callable[[], Awaitable[None]]
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        return lambda: self._attempt(name, send)

    @staticmethod
    async def _every(
        period: float, do: Callable[[], Coroutine[Any, Any, None]], stop: asyncio.Event
    ) -> None:
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(do())
                due += period
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        async with self._session.request(method, f"{self._server}{path}", **more) as answer:
            body = await answer.text()  # of refusals not always JSON
            if answer.status >= 400:
                raise RefusedError(answer.status, f"{method}: {body[:200]}")
            return json.loads(body)

    async def _read(self) -> None:
        await self._call("GET", "/api/v1/namespaces/default/configmaps/probe")

    async def _write(self) -> None:
        self._written += 1
        count, watched = self._written, bool(self.seen.lists)
        body = json.dumps({"data": {"count": str(count)}})
        path = "/api/v1/namespaces/default/configmaps/probe"
        await self._call("PATCH", path, data=body, headers=_MERGE)
        if watched:
            self.acknowledged.add(count)

    async def _book(self) -> None:
        """Makes another object. One that was made although nobody heard of it is there already."""
        name = f"{self._ledger}-{self.counts['make'].requests}"
        body = {"metadata": {"name": name, "labels": {"vks-probe": self._ledger}}}

        async def send() -> None:
            try:
                await self._call("POST", "/api/v1/namespaces/default/configmaps", json=body)
            except RefusedError as refused:
                if refused.status != 409:
                    raise
            self._booked.add(name)

        await self._attempt("make", send)

    async def missing(self) -> set[str]:
        """Objects whose making was acknowledged and that are not there."""
        path = f"/api/v1/namespaces/default/configmaps?labelSelector=vks-probe={self._ledger}"
        found = await self._call("GET", path)
        return self._booked - {item["metadata"]["name"] for item in found["items"]}

    async def _watch(self) -> None:
        """Goes on where it was when it is interrupted, as a reflector does."""
        while True:
            try:
                await self.seen.follow(self._session, self._server)
            except (aiohttp.ClientError, TimeoutError, RefusedError, OSError):
                self.seen.interruptions += 1
                await asyncio.sleep(RETRY_AFTER)

    def lost(self) -> list[int]:
        """Writes that were acknowledged and that the watch never saw."""
        return sorted(self.acknowledged - self.seen.counts)

    async def _ask_workload(self) -> None:
        """As through a load balancer in front of the nodes: they take turns, and what one
        refused goes to another."""
        tried: list[str] = []

        async def send() -> None:
            self._turn += 1
            nodes = [node for node in self._nodes if node not in tried] or self._nodes
            tried.append(nodes[self._turn % len(nodes)])
            await self._get(tried[-1])

        await self._attempt("http", send)

    async def _get(self, node: str) -> None:
        url = f"http://{node}:{self._port}/"
        async with self._session.get(url, headers={"Connection": "close"}) as answer:
            await answer.read()
            if answer.status != 200:
                raise RefusedError(answer.status, f"GET from {node}")

    async def _find_nodes(self) -> None:
        """Workers that take part and are well. When the API is silent, or none is well, those of
        before: network load balancers fail open. Where the API is, the kubeconfig says."""
        self._server = ClientConfig.from_kubeconfig(self._kubeconfig).server
        try:
            found = await self._call("GET", "/api/v1/nodes?resourceVersion=0")
        except (aiohttp.ClientError, TimeoutError, RefusedError, OSError):
            return
        self._taking_part = [address(node) for node in found["items"] if takes_part(node)]
        self._choose()
        await asyncio.gather(*(self._check(node) for node in self._taking_part))

    async def _check(self, node: str) -> None:
        """A node that does not answer keeps nobody from knowing of the others."""
        (self._well.add if await self._serves(node) else self._well.discard)(node)
        self._choose()

    def _choose(self) -> None:
        healthy = [node for node in self._taking_part if node in self._well]
        self._nodes = healthy or self._nodes

    async def _serves(self, node: str) -> bool:
        """What load balancers ask of a node: kube-proxy's health. Ready comes earlier. Where that
        is for the node's own ears, the port itself."""
        for url in (f"http://{node}:10256/healthz", f"http://{node}:{self._port}/"):
            try:
                async with self._session.get(url, headers={"Connection": "close"}) as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, TimeoutError, OSError):
                return False
        return False


def takes_part(node: dict[str, Any]) -> bool:
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", ())
    )
    control_plane = "node-role.kubernetes.io/control-plane" in node["metadata"]["labels"]
    return ready and not control_plane and not node["spec"].get("unschedulable")


def address(node: dict[str, Any]) -> str:
    addresses = node["status"]["addresses"]
    return str(next(a["address"] for a in addresses if a["type"] == "InternalIP"))


async def probe(kubeconfig: Path, port: int, hz: float) -> dict[str, Any]:
    """Until SIGTERM, and until every client has done enough; then what was counted."""
    config = ClientConfig.from_kubeconfig(kubeconfig)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connector = aiohttp.TCPConnector(ssl=config.ssl_context() or False, limit=0)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        probes = Probes(kubeconfig, session, port, hz)
        await probes.run(stop)
        missing = await probes.missing()
    counts = {name: count.report() for name, count in probes.counts.items()}
    watch = {
        "requests": len(probes.seen.counts),
        "raw": probes.seen.interruptions,
        "after_retry": len(probes.lost()),
        "lists": probes.seen.lists,
    }
    made = counts["make"]
    made["missing"] = len(missing)
    made["after_retry"] += len(missing)
    return counts | {"watch": watch}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--node-port", type=int, required=True)
    parser.add_argument("--api-hz", type=float, default=API_HZ, help="reads and writes together")
    given = parser.parse_args()
    counts = asyncio.run(probe(given.kubeconfig, given.node_port, given.api_hz))
    print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
