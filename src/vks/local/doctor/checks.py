"""One check per thing that a local region needs. Checks look, they change nothing."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vks.local.doctor.packages import missing_packages
from vks.local.instance import Instance
from vks.local.platform.layout import ServerKind

MEMORY_GIB = 6.0
DISK_GIB = 15.0
HOLLOW_MEMORY_GIB = 2.0
HOLLOW_DISK_GIB = 8.0
#: Load balancers of a hollow region listen on addresses like this one.
_LOOPBACK = "127.200.1.2"
_GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """`fix` is what to do when it is not `ok`; without a required one nothing will run."""

    subject: str
    ok: bool
    detail: str
    fix: str = ""
    required: bool = True


def examine(instance: Instance, servers: ServerKind) -> list[Finding]:
    """Everything that such servers need, in the order in which it should be put right."""
    if servers == "hollow":
        return [*_required_by_hollow(), *_resources(instance, HOLLOW_MEMORY_GIB, HOLLOW_DISK_GIB)]
    return [*_required(), *_resources(instance, MEMORY_GIB, DISK_GIB)]


def lacking(instance: Instance, servers: ServerKind) -> list[Finding]:
    """What keeps `vks up` from working here."""
    return [f for f in examine(instance, servers) if f.required and not f.ok]


def _required_by_hollow() -> Iterator[Finding]:
    yield Finding("root", True, "not needed for hollow servers")
    with socket.socket() as probe:
        try:
            probe.bind((_LOOPBACK, 0))
        except OSError as error:
            yield Finding(
                "loopback", False, f"{_LOOPBACK}: {error.strerror}", "use Linux, where all 127/8 is"
            )
        else:
            yield Finding("loopback", True, "all of 127.0.0.0/8")


def _required() -> Iterator[Finding]:
    root = os.geteuid() == 0
    yield Finding(
        "root",
        root,
        "yes" if root else "no",
        "run as root (sudo), or take servers that need none: `vks up --servers hollow`",
    )
    missing = missing_packages()
    yield Finding(
        "packages",
        not missing,
        "all installed" if not missing else f"missing {', '.join(missing)}",
        f"apt-get install {' '.join(missing)} (or `vks doctor --install`)",
    )
    yield _file("loop devices", Path("/dev/loop-control"), "load the module loop")
    yield _file("network namespaces", Path("/proc/self/ns/net"), "use a kernel with CONFIG_NET_NS")
    cgroups = Path("/sys/fs/cgroup")
    mounted = (cgroups / "cgroup.controllers").exists() or (cgroups / "memory").is_dir()
    yield Finding(
        "cgroups",
        mounted,
        "v2" if (cgroups / "cgroup.controllers").exists() else "v1 or hybrid",
        "mount cgroup2 on /sys/fs/cgroup, with the memory controller",
    )
    systems = Path("/proc/filesystems").read_text().split()
    known = "btrfs" in systems
    yield Finding(
        "btrfs", known, "yes" if known else "not loaded", "modprobe btrfs", required=False
    )


def _resources(instance: Instance, memory: float, disk: float) -> Iterator[Finding]:
    available = _memory_gib(Path("/proc/meminfo").read_text())
    yield Finding(
        "memory",
        available >= memory,
        f"{available:.1f} GiB available",
        f"a cluster of 3+3 needs {memory:g} GiB",
        required=False,
    )
    existing = next(p for p in (instance.cache, *instance.cache.parents) if p.exists())
    free = shutil.disk_usage(existing).free / _GIB
    yield Finding(
        "disk",
        free >= disk,
        f"{free:.0f} GiB free in {existing}",
        f"{disk:g} GiB are needed (set VKS_CACHE to put it elsewhere)",
        required=False,
    )
    go = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    yield Finding(
        "Go",
        go is not None,
        go or "not found",
        "a toolchain is fetched when upstream programs have to be built",
        required=False,
    )


def _memory_gib(meminfo: str) -> float:
    """Available memory in the text of /proc/meminfo."""
    line = next(line for line in meminfo.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024 / _GIB


def _file(subject: str, path: Path, fix: str) -> Finding:
    return Finding(subject, path.exists(), str(path), fix)
