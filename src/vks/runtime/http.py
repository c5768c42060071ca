"""The manager's HTTP port: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

if TYPE_CHECKING:
    from aiohttp import web


@asynccontextmanager
async def serve(
    host: str,
    port: int,
    registry: CollectorRegistry,
    *,
    not_ready: Callable[[], list[str]],
) -> AsyncIterator[int]:
    """Serves while open; yields the port, which the system chooses when `port` is 0.

    `not_ready` names what readiness waits for. Raises OSError when the port is taken.
    """
    from aiohttp import web  # a manager without a port does not pay for the server

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        missing = not_ready()
        text = "".join(f"[-]{name}\n" for name in missing) or "ok\n"
        return web.Response(text=text, status=503 if missing else 200)

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
