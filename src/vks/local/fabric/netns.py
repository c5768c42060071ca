"""Named network namespaces: made, configured, listed, removed.

Settings are written by a thread that enters the namespace, not by a program: it costs
microseconds, and `/proc/sys/net` always shows the namespace of the thread that opens it.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from vks.local.fabric.command import run

NETNS_DIR = Path("/run/netns")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def exists(name: str) -> bool:
    """Whether `name` is a namespace, and not just the file that a killed `ip netns` left."""
    try:
        device = os.stat(NETNS_DIR / name).st_dev
    except FileNotFoundError:
        return False
    return device == os.stat("/proc/self/ns/net").st_dev


def names(prefix: str) -> set[str]:
    """Every file of that prefix where named namespaces are, half-made ones included."""
    try:
        return {entry for entry in os.listdir(NETNS_DIR) if entry.startswith(prefix)}
    except FileNotFoundError:
        return set()


async def add(name: str, sysctls: Mapping[str, str], lock: Iterable[int]) -> None:
    """Makes the namespace unless it exists; brings its settings to `sysctls` either way.

    `lock` are descriptors for the program to inherit (see `InheritedLock`).
    """
    if not exists(name):
        (NETNS_DIR / name).unlink(missing_ok=True)
        await run("ip", "netns", "add", name, pass_fds=lock)
    write_sysctls(name, sysctls)


async def delete(name: str, lock: Iterable[int]) -> None:
    """Removes the name; the kernel frees the namespace when its last process is gone."""
    if exists(name):
        await run("ip", "netns", "del", name, pass_fds=lock)
    else:
        (NETNS_DIR / name).unlink(missing_ok=True)


def write_sysctls(name: str, sysctls: Mapping[str, str]) -> None:
    """Sets `net.*` values (keys like "net/ipv4/ip_forward") in that namespace only."""
    failure: list[OSError] = []

    def write() -> None:
        try:
            _enter(NETNS_DIR / name)
            for key, value in sysctls.items():
                Path("/proc/sys", key).write_text(value)
        except OSError as error:
            failure.append(error)

    thread = threading.Thread(target=write, name=f"netns-{name}")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


def _enter(path: Path) -> None:
    """Moves the calling thread, and only it, to the namespace."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(handle, _CLONE_NEWNET):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(path))
    finally:
        os.close(handle)
