"""A server's disk, made ready for its first boot: a btrfs snapshot of its image, or a volume.

Made under another name and renamed when complete, so that a disk of the final name is whole.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import re
from pathlib import Path

from vks.local.fabric.command import CommandError, run
from vks.local.fabric.lock import InheritedLock
from vks.local.servers.configdrive import config_drive, dns_servers
from vks.local.servers.lxc.volumes import VolumeStore, server_of
from vks.local.servers.types import ServerError, ServerSpec

_SEED = "var/lib/cloud/seed/config_drive"

# The namespace comes with its addresses: nothing is left for cloud-init to configure.
_CLOUD_INIT = b"datasource_list: [ConfigDrive]\nnetwork: {config: disabled}\n"


class RootfsStore:
    """The disks of one instance's servers, in a directory of the btrfs pool."""

    def __init__(self, directory: Path, lock_file: Path) -> None:
        self._directory = directory
        self._lock = InheritedLock(lock_file)
        self._volumes = VolumeStore(directory, lock_file.with_name("volumes.lock"))

    def path(self, server_id: str) -> Path:
        return self._directory / server_id

    def _partial(self, server_id: str) -> Path:
        return self._directory / f"{server_id}.partial"

    def exists(self, server_id: str) -> bool:
        """Whether the server has a complete disk."""
        return self.path(server_id).is_dir() or self._volumes.exists(server_id)

    def ids(self) -> set[str]:
        """Every server that has a disk, complete or not."""
        if not self._directory.is_dir():
            return set()
        return {server_of(entry) for entry in os.listdir(self._directory)}

    async def ensure(self, spec: ServerSpec, image: Path) -> None:
        """Makes the server's disk from the image unless it is there."""
        if self.exists(spec.id):
            return
        if not _is_there(image):
            raise ServerError(f"image {spec.image} is not in the pool")
        self._directory.mkdir(parents=True, exist_ok=True)
        if spec.volume_gib is not None:
            finish = functools.partial(_personalise, spec=spec)
            await self._volumes.make(spec.id, spec.volume_gib, image, finish)
            return
        partial = self._partial(spec.id)
        async with self._lock.held() as lock:
            await _delete_subvolume(partial, lock)
            command = ("btrfs", "-q", "subvolume", "snapshot", str(image), str(partial))
            await run(*command, pass_fds=(lock,))
        await asyncio.to_thread(_personalise, partial, spec)
        partial.rename(self.path(spec.id))

    async def attach(self, server_id: str) -> None:
        """Puts the disk where `path` says, if it is not always there."""
        await self._volumes.attach(server_id, self.path(server_id))

    async def delete(self, server_id: str) -> None:
        """Removes the disk in whatever state it is."""
        await self._volumes.delete(server_id, self.path(server_id))
        async with self._lock.held() as lock:
            await _delete_subvolume(self._partial(server_id), lock)
            await _delete_subvolume(self.path(server_id), lock)


def first_boot_files(spec: ServerSpec) -> dict[str, bytes]:
    """The files that make a copy of the image this server, by path in the disk."""
    address = f"{spec.ports[0].address} {spec.hostname}\n" if spec.ports else ""
    resolvers = "".join(f"nameserver {address}\n" for address in dns_servers(spec))
    return {
        "etc/hostname": f"{spec.hostname}\n".encode(),
        "etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{address}".encode(),
        "etc/resolv.conf": resolvers.encode(),
        "etc/machine-id": f"{_machine_id(spec.id)}\n".encode(),
        "etc/cloud/cloud.cfg.d/99-vks-local.cfg": _CLOUD_INIT,
        **{f"{_SEED}/{path}": content for path, content in config_drive(spec).items()},
    }


def _machine_id(server_id: str) -> str:
    """The server's UUID, as firmware would give it to a virtual machine."""
    digits = server_id.replace("-", "").lower()
    if re.fullmatch(r"[0-9a-f]{32}", digits):
        return digits
    return hashlib.sha256(server_id.encode()).hexdigest()[:32]


def _personalise(root: Path, spec: ServerSpec) -> None:
    seed = root / _SEED
    seed.mkdir(parents=True, exist_ok=True)
    seed.chmod(0o700)  # user data holds credentials
    for name, content in first_boot_files(spec).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # resolv.conf may be a symbolic link out of the disk
        mode = 0o600 if name.startswith(_SEED) else 0o644
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)


def _is_there(path: Path) -> bool:
    return path.is_dir()


async def _delete_subvolume(path: Path, lock: int) -> None:
    """Deletes a subvolume and those below it (systemd-tmpfiles makes some in /var/lib)."""
    if not _is_there(path):
        return
    try:
        await run("btrfs", "-q", "subvolume", "delete", str(path), pass_fds=(lock,))
    except CommandError as error:
        nested = await _nested_subvolumes(path)
        if not nested:
            raise ServerError(f"cannot delete disk {path}: {error.stderr}") from error
        for below in nested:
            await _delete_subvolume(below, lock)
        await run("btrfs", "-q", "subvolume", "delete", str(path), pass_fds=(lock,))


async def _nested_subvolumes(path: Path) -> list[Path]:
    listing = await run("btrfs", "subvolume", "list", "-o", str(path))
    marker = f"/{path.name}/"  # paths are relative to the top of the file system
    return [path / line.split(marker, 1)[1] for line in listing.splitlines() if marker in line]
