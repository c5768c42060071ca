"""One check per thing that a local region needs. Checks look, they change nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vks.local.doctor.packages import missing_packages
from vks.local.instance import Instance

MEMORY_GIB = 6.0
DISK_GIB = 15.0
_GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """`fix` is what to do when it is not `ok`; without a required one nothing will run."""

    subject: str
    ok: bool
    detail: str
    fix: str = ""
    required: bool = True


def examine(instance: Instance) -> list[Finding]:
    """Everything, in the order in which it should be put right."""
    return [*_required(), *_resources(instance)]


def lacking(instance: Instance) -> list[Finding]:
    """What keeps `vks up` from working here."""
    return [f for f in examine(instance) if f.required and not f.ok]


def _required() -> Iterator[Finding]:
    root = os.geteuid() == 0
    yield Finding("root", root, "yes" if root else "no", "run as root (sudo)")
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


def _resources(instance: Instance) -> Iterator[Finding]:
    available = _memory_gib(Path("/proc/meminfo").read_text())
    yield Finding(
        "memory",
        available >= MEMORY_GIB,
        f"{available:.1f} GiB available",
        f"a cluster of 3+3 needs {MEMORY_GIB:g} GiB",
        required=False,
    )
    existing = next(p for p in (instance.cache, *instance.cache.parents) if p.exists())
    free = shutil.disk_usage(existing).free / _GIB
    yield Finding(
        "disk",
        free >= DISK_GIB,
        f"{free:.0f} GiB free in {existing}",
        f"{DISK_GIB:g} GiB are needed (set VKS_CACHE to put it elsewhere)",
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
