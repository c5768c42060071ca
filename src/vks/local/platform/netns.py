"""Sockets that belong to another network namespace than the process that uses them.

A socket stays in the namespace in which it was created. So a process of the host can connect
inside the fabric, or the other way round, without a thread or a helper per namespace.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


@contextmanager
def inside(netns: Path | None) -> Iterator[None]:
    """The calling thread is in `netns` (None: where it is) until the block ends. Never await."""
    if netns is None:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(target)
        finally:
            os.close(target)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def stream_socket(
    netns: Path | None, family: socket.AddressFamily = socket.AF_INET
) -> socket.socket:
    """A non-blocking TCP socket of that namespace. Raises FileNotFoundError when it is gone."""
    with inside(netns):
        made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


async def connect(netns: Path | None, host: str, port: int, timeout: float) -> socket.socket:
    """A connected socket to `host` (an IP address) of that namespace; OSError when refused."""
    made = stream_socket(netns)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(made, (host, port))
    except BaseException:
        made.close()
        raise
    return made
