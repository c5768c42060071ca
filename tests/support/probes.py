"""Clients that use a cluster all the time and count what fails: `python -m tests.support.probes`.

Requests begin at a fixed rate, whether or not earlier ones have been answered. Each that fails is
repeated once, as client-go repeats it; both counts are kept. Run inside a region's fabric.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from vks.kube.config import ClientConfig

API_HZ = 10.0
HTTP_HZ = 20.0
#: Seconds until a request counts as failed (client-go waits for ever), and before it is repeated.
_TIMEOUT = 15.0
_RETRY_AFTER = 0.2
_MERGE = {"Content-Type": "application/merge-patch+json"}


class RefusedError(Exception):
    """An answer that is none."""


@dataclass
class Count:
    """`raw` requests failed; `after_retry` of them failed again when repeated."""

    requests: int = 0
    raw: int = 0
    after_retry: int = 0
    slowest_ms: float = 0.0
    errors: list[str] = field(default_factory=list)

    async def attempt(self, send: Callable[[], Awaitable[None]]) -> None:
        self.requests += 1
        began = time.monotonic()
        for repeated in (False, True):
            try:
                await send()
            except (aiohttp.ClientError, TimeoutError, RefusedError, OSError) as error:
                if repeated:
                    self.after_retry += 1
                else:
                    self.raw += 1
                moment = time.strftime("%H:%M:%S")
                self.errors.append(f"{moment} {'again: ' if repeated else ''}{error!r}"[:300])
                await asyncio.sleep(_RETRY_AFTER)
            else:
                break
        self.slowest_ms = max(self.slowest_ms, round((time.monotonic() - began) * 1000, 1))


class Probes:
    """`node_port` is that of the workload's Service; its nodes are looked up all the time."""

    def __init__(self, config: ClientConfig, session: aiohttp.ClientSession, port: int) -> None:
        self._server = config.server
        self._session = session
        self._port = port
        self._nodes: list[str] = []
        self._written = self._turn = 0
        self.counts = {"apiRead": Count(), "apiWrite": Count(), "http": Count()}

    async def run(self, stop: asyncio.Event) -> None:
        while not self._nodes:
            await self._find_nodes()
            await asyncio.sleep(_RETRY_AFTER)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(1.0, self._find_nodes, stop))
            group.create_task(self._every(2 / API_HZ, self._count("apiRead", self._read), stop))
            group.create_task(self._every(2 / API_HZ, self._count("apiWrite", self._write), stop))
            group.create_task(self._every(1 / HTTP_HZ, self._ask_workload, stop))

    def _count(
        self, name: str, send: Callable[[], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        return lambda: self.counts[name].attempt(send)

    @staticmethod
    async def _every(period: float, do: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(do())
                due += period
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        async with self._session.request(method, f"{self._server}{path}", **more) as answer:
            body = await answer.json(content_type=None)
            if answer.status >= 400:
                raise RefusedError(f"{method} {answer.status}: {str(body)[:200]}")
            return body

    async def _read(self) -> None:
        await self._call("GET", "/api/v1/namespaces/default/configmaps/probe")

    async def _write(self) -> None:
        self._written += 1
        body = json.dumps({"data": {"count": str(self._written)}})
        path = "/api/v1/namespaces/default/configmaps/probe"
        await self._call("PATCH", path, data=body, headers=_MERGE)

    async def _ask_workload(self) -> None:
        """As through a load balancer in front of the nodes: they take turns, and what one
        refused goes to another."""
        tried: list[str] = []

        async def send() -> None:
            self._turn += 1
            nodes = [node for node in self._nodes if node not in tried] or self._nodes
            tried.append(nodes[self._turn % len(nodes)])
            await self._get(tried[-1])

        await self.counts["http"].attempt(send)

    async def _get(self, node: str) -> None:
        url = f"http://{node}:{self._port}/"
        async with self._session.get(url, headers={"Connection": "close"}) as answer:
            await answer.read()
            if answer.status != 200:
                raise RefusedError(f"GET {answer.status} from {node}")

    async def _find_nodes(self) -> None:
        """Workers that take part and are well. When the API is silent, or none is well, those of
        before: network load balancers fail open."""
        try:
            found = await self._call("GET", "/api/v1/nodes?resourceVersion=0")
        except (aiohttp.ClientError, TimeoutError, RefusedError, OSError):
            return
        nodes = [address(node) for node in found["items"] if takes_part(node)]
        well = await asyncio.gather(*(self._serves(node) for node in nodes))
        healthy = [node for node, is_well in zip(nodes, well, strict=True) if is_well]
        self._nodes = healthy or self._nodes

    async def _serves(self, node: str) -> bool:
        """What load balancers ask of a node: kube-proxy's health. Ready comes earlier."""
        try:
            async with self._session.get(f"http://{node}:10256/healthz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def takes_part(node: dict[str, Any]) -> bool:
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", ())
    )
    control_plane = "node-role.kubernetes.io/control-plane" in node["metadata"]["labels"]
    return ready and not control_plane and not node["spec"].get("unschedulable")


def address(node: dict[str, Any]) -> str:
    return next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")


async def probe(kubeconfig: Path, port: int) -> dict[str, Any]:
    """Until SIGTERM; then what was counted."""
    config = ClientConfig.from_kubeconfig(kubeconfig)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connector = aiohttp.TCPConnector(ssl=config.ssl_context(), limit=0)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        probes = Probes(config, session, port)
        await probes.run(stop)
    return {name: asdict(count) for name, count in probes.counts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--node-port", type=int, required=True)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(probe(given.kubeconfig, given.node_port)), indent=1))


if __name__ == "__main__":
    main()
