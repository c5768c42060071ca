"""Asks a process whether it serves, in the network namespace that it lives in."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from vks.local.platform.control import unix_address
from vks.local.platform.netns import connect
from vks.local.platform.processes import HttpProbe, Probe, TcpProbe, UnixProbe


async def ready(probe: Probe, netns: Path | None, timeout: float = 2.0) -> str:
    """Empty when it serves, else what is wrong, in one line."""
    try:
        async with asyncio.timeout(timeout):
            if isinstance(probe, UnixProbe):
                return await _unix(Path(probe.path))
            if isinstance(probe, TcpProbe):
                (await connect(netns, probe.host, probe.port, timeout)).close()
                return ""
            return await _http(probe, netns, timeout)
    except TimeoutError:
        return f"no answer within {timeout:g} s on {_where(probe)}"
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return f"{_where(probe)}: the answer is not HTTP"
    except OSError as error:
        return f"{_where(probe)}: {error.strerror or error}"


def _where(probe: Probe) -> str:
    return probe.path if isinstance(probe, UnixProbe) else f"port {probe.port}"


async def _unix(path: Path) -> str:
    with unix_address(path) as address:
        _, writer = await asyncio.open_unix_connection(address)
    writer.close()
    return ""


async def _http(probe: HttpProbe, netns: Path | None, timeout: float) -> str:
    connection = await connect(netns, probe.host, probe.port, timeout)
    context = ssl.create_default_context(cafile=probe.ca_file or None) if probe.tls else None
    reader, writer = await asyncio.open_connection(
        sock=connection, ssl=context, server_hostname=probe.host if probe.tls else None
    )
    try:
        writer.write(
            f"GET {probe.path} HTTP/1.1\r\nHost: {probe.host}:{probe.port}\r\n"
            "User-Agent: vks-supervisor\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        head = (await reader.readuntil(b"\r\n")).decode("latin-1").split(" ", 2)
    finally:
        writer.close()
    if len(head) > 1 and head[1].startswith("2"):
        return ""
    return f"GET {probe.path} on port {probe.port} answers {' '.join(head[1:]).strip()}"
