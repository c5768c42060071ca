"""The supervisor's control socket: JSON lines over a Unix socket that only its owner may open.

A client sends one `Request`. `reload` and `watch` answer with the state at every change until
the client goes away; `stop` does the same until the last program has ended; `restart` answers
once. A `Failure` line says why a request could not be done.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import structlog

from vks.local.platform.processes import PlanError, SupervisorState

if TYPE_CHECKING:
    from vks.local.platform.supervisor import Supervisor

log = structlog.get_logger()

SOCKET_NAME = "supervisor.sock"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    do: Literal["reload", "watch", "stop", "restart"]
    name: str = ""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    error: str


class ControlError(RuntimeError):
    """The supervisor refused a request, or went away while it was asked."""


@contextlib.contextmanager
def unix_address(path: Path) -> Iterator[str]:
    """The socket's path by way of a descriptor: socket paths are limited to 107 bytes."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


@contextlib.asynccontextmanager
async def serve_control(supervisor: Supervisor) -> AsyncIterator[None]:
    """Answers on the socket while the block runs."""
    (supervisor.run_dir / SOCKET_NAME).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with unix_address(supervisor.run_dir / SOCKET_NAME) as address:
        listener.bind(address)
    (supervisor.run_dir / SOCKET_NAME).chmod(0o600)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _answer(supervisor, reader, writer)
        except ConnectionError:
            log.debug("a control client went away")
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, sock=listener)
    try:
        yield
    finally:
        server.close()
        (supervisor.run_dir / SOCKET_NAME).unlink(missing_ok=True)


async def _answer(
    supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        request = msgspec.json.decode(await reader.readline(), type=Request)
        if request.do == "reload":
            await supervisor.reload()
        elif request.do == "stop":
            supervisor.stopping.set()
        elif request.do == "restart" and not await supervisor.restart(request.name):
            raise ControlError(f"no process is named {request.name!r}")
    except (msgspec.MsgspecError, PlanError, ControlError, OSError) as error:
        await _send(writer, Failure(error=str(error)))
        return
    if request.do == "restart":
        await _send(writer, supervisor.state())
        return
    await _follow(supervisor, writer)


async def _follow(supervisor: Supervisor, writer: asyncio.StreamWriter) -> None:
    changed = supervisor.subscribe()
    try:
        while True:
            changed.clear()
            await _send(writer, supervisor.state())
            await changed.wait()
    finally:
        supervisor.unsubscribe(changed)


async def _send(writer: asyncio.StreamWriter, message: SupervisorState | Failure) -> None:
    writer.write(msgspec.json.encode(message) + b"\n")
    await writer.drain()


class Connection:
    """A client's end, blocking; iterate over the states that the supervisor sends."""

    def __init__(self, run: Path, request: Request, timeout: float | None = None) -> None:
        """Raises OSError when no supervisor listens. `timeout`: seconds without a message."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            with unix_address(run / SOCKET_NAME) as address:
                self._socket.connect(address)
            self._socket.sendall(msgspec.json.encode(request) + b"\n")
        except BaseException:
            self._socket.close()
            raise

    def states(self) -> Iterator[SupervisorState]:
        """Until the supervisor hangs up. Raises ControlError on a refusal."""
        with self._socket, self._socket.makefile("rb") as lines:
            for line in lines:
                message = msgspec.json.decode(line)
                if "error" in message:
                    raise ControlError(message["error"])
                yield msgspec.convert(message, SupervisorState)
