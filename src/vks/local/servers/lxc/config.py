"""The LXC configuration of a server: a system container that can be a Kubernetes node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vks.local.servers.types import Flavor

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Container:
    """Where one server's container keeps its things."""

    hostname: str
    rootfs: Path
    netns: Path
    directory: Path
    cgroup: str  # prefix of the names of its cgroups


def render(container: Container, flavor: Flavor, *, cgroup_v2: bool) -> str:
    """The text of LXC's `config` file.

    Privileged on purpose: kubelet and containerd need to mount, and to make cgroups and devices,
    as they do on a machine of their own.
    """
    lines = [
        ("lxc.uts.name", container.hostname),
        ("lxc.rootfs.path", f"dir:{container.rootfs}"),
        ("lxc.namespace.share.net", str(container.netns)),
        ("lxc.apparmor.profile", "unconfined"),
        ("lxc.cap.drop", ""),
        ("lxc.mount.auto", "proc:rw sys:rw cgroup:rw:force"),
        # kubelet watches the kernel log for OOM kills; containerd may want fuse-overlayfs
        ("lxc.mount.entry", "/dev/kmsg dev/kmsg none bind,optional,create=file"),
        ("lxc.mount.entry", "/dev/fuse dev/fuse none bind,optional,create=file"),
        ("lxc.autodev", "1"),
        ("lxc.pty.max", "1024"),
        ("lxc.tty.max", "0"),
        ("lxc.console.logfile", str(container.directory / "console.log")),
        ("lxc.cgroup.dir.monitor", f"{container.cgroup}.monitor"),
        ("lxc.cgroup.dir.monitor.pivot", f"{container.cgroup}.pivot"),
        ("lxc.cgroup.dir.container", f"{container.cgroup}.payload"),
        *_limits(flavor, cgroup_v2=cgroup_v2),
    ]
    return "".join(f"{key} = {value}\n" for key, value in lines)


def _limits(flavor: Flavor, *, cgroup_v2: bool) -> list[tuple[str, str]]:
    memory = str(flavor.ram_mb * _MIB)
    if cgroup_v2:
        return [
            ("lxc.cgroup2.devices.allow", "a"),
            ("lxc.cgroup2.memory.max", memory),
            ("lxc.cgroup2.cpu.weight", str(min(100 * flavor.vcpus, 10000))),
        ]
    return [
        ("lxc.cgroup.devices.allow", "a"),
        ("lxc.cgroup.memory.limit_in_bytes", memory),
        ("lxc.cgroup.cpu.shares", str(1024 * flavor.vcpus)),
    ]
