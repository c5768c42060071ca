"""The hub: one websocket per node, kept open by its agent, and what goes over it."""

from __future__ import annotations

import asyncio
import base64
import hmac
import ssl
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import structlog
from aiohttp import WSMsgType, web
from prometheus_client import CollectorRegistry, Counter

from vks.kube.client import Client
from vks.kube.errors import ApiError
from vks.kube.objects import Key
from vks.legacy.agent import protocol
from vks.legacy.plan.model import Plan
from vks.legacy.server.secrets import TOKEN_KEY, token_name
from vks.resources.core import Secret
from vks.runtime.result import Transient

log = structlog.get_logger(__name__)


class Hello(msgspec.Struct, tag="hello", frozen=True):
    version: int
    images: tuple[str, ...]


class NodeState(msgspec.Struct, frozen=True):
    """What the cluster's own API says of a node."""

    ready: bool
    pod_cidr: str = msgspec.field(name="podCIDR", default="")


class Report(msgspec.Struct, tag="report", frozen=True):
    """`plan` is the digest of what the node is like; probes that pass have an empty text."""

    plan: str = ""
    failure: str = ""
    probes: dict[str, str] = {}
    running: dict[str, list[str]] = {}
    node: NodeState | None = None


class Answer(msgspec.Struct, tag="answer", frozen=True):
    id: int
    status: int
    body: str = ""


_MESSAGES = msgspec.json.Decoder(Hello | Report | Answer)


class CallFailed(Transient):
    """A call through an agent got no answer, or a refusal. `status` is HTTP's, 0 for none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__("AgentCallFailed", message[:500])
        self.status = status


class Session:
    """One agent's open connection."""

    def __init__(self, socket: web.WebSocketResponse, hello: Hello) -> None:
        self.images = hello.images
        self.report = Report()
        self.plan = ""  # digest of the last one that was sent
        self._socket = socket
        self._calls: dict[int, asyncio.Future[Answer]] = {}
        self._count = 0

    async def send_plan(self, plan: Plan) -> None:
        """Raises CallFailed when the connection is lost."""
        body = {**msgspec.to_builtins(plan), "digest": plan.digest}
        await self._send({"type": "plan", "plan": body})
        self.plan = plan.digest

    async def call(
        self,
        endpoint: str,
        method: str,
        path: str,
        body: str = "",
        *,
        content_type: str = "application/json",
        timeout: float = 15.0,
    ) -> str:
        """An HTTP request to an endpoint of the node's plan; the body of a 2xx answer. Raises
        CallFailed."""
        self._count += 1
        number = self._count
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._calls[number] = future
        message = {"type": "call", "id": number, "endpoint": endpoint, "method": method}
        message |= {"path": path, "body": body, "contentType": content_type}
        try:
            await self._send(message)
            async with asyncio.timeout(timeout):
                answer = await future
        except TimeoutError:
            raise CallFailed(f"{method} {path}: no answer in {timeout:g} s") from None
        finally:
            self._calls.pop(number, None)
        if not 200 <= answer.status < 300:
            raise CallFailed(f"{method} {path}: {answer.status} {answer.body}", answer.status)
        return answer.body

    def received(self, message: Report | Answer) -> bool:
        """Whether it was news about the node."""
        if isinstance(message, Answer):
            future = self._calls.get(message.id)
            if future is not None and not future.done():
                future.set_result(message)
            return False
        changed = message != self.report
        self.report = message
        return changed

    async def close(self) -> None:
        await self._socket.close()

    def end(self) -> None:
        """The connection is gone: nobody waits for it any longer."""
        for future in self._calls.values():
            if not future.done():
                future.set_exception(CallFailed("the agent's connection was lost"))

    async def _send(self, message: dict[str, object]) -> None:
        try:
            await self._socket.send_str(msgspec.json.encode(message).decode())
        except (ConnectionError, RuntimeError) as error:
            raise CallFailed("the agent's connection was lost") from error


class Listener(NamedTuple):
    """Where agents connect: PEM files of the server's certificate and key."""

    host: str
    port: int
    certificate: str
    key: str


class Hub:
    """Runs as long as the manager leads. `notify` is told of nodes whose agent came, went or had
    news."""

    def __init__(
        self,
        client: Client,
        listener: Listener,
        notify: Callable[[Key], None],
        registry: CollectorRegistry,
    ) -> None:
        self._client = client
        self._listener = listener
        self._notify = notify
        self._sessions: dict[Key, Session] = {}
        self.registry = registry
        self._connections = Counter(
            "vks_legacy_agent_connections_total",
            "Connections of agents by how they ended: lost, replaced, refused",
            ("end",),
            registry=registry,
        )

    def session(self, node: Key) -> Session | None:
        """The node's connection, while there is one."""
        return self._sessions.get(node)

    async def run(self) -> None:
        """Serves until cancelled. Raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get(protocol.path("{namespace}", "{node}"), self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._listener.certificate, self._listener.key)
        try:
            site = web.TCPSite(
                runner, self._listener.host, self._listener.port, ssl_context=context
            )
            await site.start()
            log.info("hub listens", host=self._listener.host, port=self._listener.port)
            await asyncio.Event().wait()
        finally:
            for session in list(self._sessions.values()):
                await session.close()
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        key = Key(request.match_info["namespace"], request.match_info["node"])
        if not await self._knows(key, request.headers.get("Authorization", "")):
            self._connections.labels("refused").inc()
            return web.Response(status=401)
        socket = web.WebSocketResponse(
            heartbeat=protocol.PING, max_msg_size=protocol.MAX_MESSAGE, compress=False
        )
        await socket.prepare(request)
        hello = _decode((await socket.receive()).data)
        if not isinstance(hello, Hello) or hello.version != protocol.VERSION:
            await socket.close(message=b"hello of an unknown version")
            return socket
        await self._keep(key, socket, Session(socket, hello))
        return socket

    async def _keep(self, key: Key, socket: web.WebSocketResponse, session: Session) -> None:
        """Follow a connection to its end. The newest one of a node is the one that counts."""
        previous = self._sessions.get(key)
        self._sessions[key] = session
        if previous is not None:
            await previous.close()
        log.info("agent connected", node=str(key))
        self._notify(key)
        try:
            async for message in socket:
                decoded = _decode(message.data) if message.type == WSMsgType.TEXT else None
                if not isinstance(decoded, Report | Answer):
                    await socket.close(message=b"unknown message")
                elif session.received(decoded):
                    self._notify(key)
        finally:
            session.end()
            replaced = self._sessions.get(key) is not session
            self._connections.labels("replaced" if replaced else "lost").inc()
            if not replaced:
                del self._sessions[key]
                log.warning("agent disconnected", node=str(key))
                self._notify(key)

    async def _knows(self, node: Key, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        try:
            secret = await self._client.get(Secret, token_name(node.name), node.namespace)
        except ApiError:
            return False
        expected = base64.b64decode(secret.data.get(TOKEN_KEY, ""))
        matches = hmac.compare_digest(expected, given.encode())
        return scheme == "Bearer" and bool(expected) and matches


def _decode(data: object) -> Hello | Report | Answer | None:
    try:
        return _MESSAGES.decode(data) if isinstance(data, str | bytes) else None
    except msgspec.DecodeError:
        return None
