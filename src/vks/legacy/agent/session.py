"""The agent's life: keep a connection to the hub, keep the node like the plan, report."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
import sys
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from vks.legacy.agent import protocol
from vks.legacy.agent.node import Node, Plan, PlanError, Request
from vks.legacy.agent.websocket import Limits, WebSocket, WebSocketError

#: Seconds between attempts to connect: twice as long each time, with jitter.
_RECONNECT = (0.25, 5.0)
#: Seconds until a plan that could not be applied is tried again, and between looks at a node
#: that is like its plan: what somebody stopped by hand is started again.
_RETRY, _VERIFY = 2.0, 30.0
#: Seconds between rounds of probes, while something fails and when all is well.
_PROBE, _PROBE_STEADY = 0.5, 5.0
#: Seconds after another plan in which services may still be on their way from old to new.
_SETTLING = 90.0
_PROBE_TIMEOUT = 3.0


class Settings(NamedTuple):
    """Where the hub is, and by what it knows this node. `ca` is PEM text."""

    url: str
    token: str
    ca: str


class Agent:
    def __init__(self, settings: Settings, node: Node) -> None:
        self._settings = settings
        self._node = node
        self._plan: Plan | None = None
        self._applied = ""
        self._failure = ""
        self._running: dict[str, list[str]] = {}
        self._stale = True  # services may have been restarted since they were looked at
        self._settled_at = float("-inf")
        self._changed = asyncio.Event()
        self._report_soon = asyncio.Event()

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_applied())
            tasks.create_task(self._keep_connected())

    async def _keep_connected(self) -> None:
        context = ssl.create_default_context(cadata=self._settings.ca)
        first, longest = _RECONNECT
        pause = first
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._settings.token}"}
                limits = Limits(protocol.MAX_MESSAGE, protocol.SILENCE)
                hub = await WebSocket.connect(self._settings.url, context, headers, limits)
                pause = first
                _log(f"connected to {self._settings.url}")
                await self._talk(hub)
            except (OSError, TimeoutError, WebSocketError, PlanError) as error:
                _log(f"not connected: {error or type(error).__name__}")
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - jitter
            pause = min(longest, pause * 2)

    async def _talk(self, hub: WebSocket) -> None:
        """One connection, from hello to its end, which it raises."""
        hello = {"type": "hello", "version": protocol.VERSION, "images": await self._node.images()}
        await hub.send(json.dumps(hello))
        reporting = asyncio.create_task(self._report(hub))
        calls: set[asyncio.Task[None]] = set()
        try:
            while True:
                message = json.loads(await hub.receive())
                if message["type"] == "plan":
                    self._plan = message["plan"]
                    self._changed.set()
                elif message["type"] == "call":
                    call = asyncio.create_task(self._answer(hub, message))
                    calls.add(call)
                    call.add_done_callback(calls.discard)
        finally:
            hub.close()
            for task in (reporting, *calls):
                task.cancel()
            await asyncio.gather(reporting, *calls, return_exceptions=True)

    async def _keep_applied(self) -> None:
        while True:
            plan, digest = self._plan, ""
            if plan is not None:
                self._changed.clear()
                try:
                    await self._node.apply(plan)
                    self._stale = True
                    digest, self._failure = plan["digest"], ""
                except PlanError as error:
                    self._failure = str(error)
                    _log(f"plan {plan['digest']} not applied: {error}")
                if digest != self._applied:
                    self._applied = digest
                    self._settled_at = asyncio.get_running_loop().time() + _SETTLING
                    self._report_soon.set()
            pause = _RETRY if self._failure else _VERIFY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    async def _report(self, hub: WebSocket) -> None:
        loop = asyncio.get_running_loop()
        last, sent = "", float("-inf")
        while True:
            self._report_soon.clear()
            report = await self._observe()
            text = json.dumps(report, sort_keys=True)
            if text != last or loop.time() - sent >= protocol.HEARTBEAT:
                await hub.send(text)
                await hub.ping()  # the hub has nothing to say to somebody who talks
                last, sent = text, loop.time()
            well = self._plan is not None and not any(report["probes"].values())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PROBE_STEADY if well and report["plan"] else _PROBE):
                    await self._report_soon.wait()

    async def _observe(self) -> dict[str, Any]:
        plan = self._plan or {"probes": [], "services": [], "node": None}
        problems = await asyncio.gather(*(self._probe(probe) for probe in plan["probes"]))
        names = [probe["name"] for probe in plan["probes"]]
        node = None if plan["node"] is None else await self._node_state(plan["node"])
        return {
            "type": "report",
            "plan": self._applied,
            "failure": self._failure,
            "probes": dict(zip(names, problems, strict=True)),
            "running": await self._look([service["name"] for service in plan["services"]]),
            "node": node,
        }

    async def _look(self, services: list[str]) -> dict[str, list[str]]:
        """Command lines as they were when last asked for: now, if one is missing or may change."""
        settling = asyncio.get_running_loop().time() < self._settled_at
        if self._stale or settling or len(self._running) < len(services):
            with contextlib.suppress(PlanError):
                self._running = await self._node.running(services)
                self._stale = False
        return self._running

    async def _probe(self, probe: dict[str, Any]) -> str:
        """Empty when it passes, else what is wrong."""
        answer = await self._node.fetch(_request(probe, "GET", timeout=_PROBE_TIMEOUT))
        if answer.status == 200:
            return ""
        return f"{answer.status} {answer.body[:200]}" if answer.status else answer.body[:200]

    async def _node_state(self, endpoint: dict[str, Any]) -> dict[str, Any] | None:
        """What the API server says about this node, None while it says nothing."""
        answer = await self._node.fetch(_request(endpoint, "GET", timeout=_PROBE_TIMEOUT))
        if answer.status != 200:
            return None
        body = json.loads(answer.body)
        conditions = body.get("status", {}).get("conditions") or []
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return {"ready": ready, "podCIDR": body.get("spec", {}).get("podCIDR", "")}

    async def _answer(self, hub: WebSocket, call: dict[str, Any]) -> None:
        """Only what the plan names as an endpoint can be called."""
        endpoint = ((self._plan or {}).get("endpoints") or {}).get(call["endpoint"])
        if endpoint is None:
            status, body = 0, f"the plan has no endpoint {call['endpoint']!r}"
        else:
            request = _request(endpoint, call["method"], call["path"])._replace(
                body=call["body"], content_type=call["contentType"]
            )
            status, body = await self._node.fetch(request)
        answer = {"type": "answer", "id": call["id"], "status": status, "body": body}
        await hub.send(json.dumps(answer))


def _request(
    endpoint: dict[str, Any], method: str, path: str = "", timeout: float = 10.0
) -> Request:
    """A request to an endpoint or a probe: its URL, and PEM files for TLS."""
    url = urlsplit(endpoint["url"])
    return Request(
        method=method,
        host=url.hostname or "",
        port=url.port or 443,
        path=path or url.path or "/",
        tls=url.scheme == "https",
        ca=endpoint["ca"],
        cert=endpoint["cert"],
        key=endpoint["key"],
        timeout=timeout,
    )


def _log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
