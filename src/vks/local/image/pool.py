"""A sparse btrfs file system for server disks, mounted at one place on the machine.

Snapshots of the image are instant there, and containerd's overlayfs snapshotter works on
them (overlay on overlay does not). Layout:

    CACHE/pool.btrfs                        the file that holds it
    CACHE/pool/bases/DIGEST                 Debian with its packages, before our steps
    CACHE/pool/images/DIGEST                node images, read-only
    CACHE/pool/instances/NAME/SERVER-ID     the disks of an instance's servers, subvolumes or
                                            mounted volumes
    CACHE/pool/instances/NAME/*.volume      the files that hold these volumes
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: The pool's nominal size; the file is sparse and never claims more than this part of the
#: space that is free when it is made.
POOL_BYTES = 200 * 2**30
POOL_PART_OF_FREE_SPACE = 0.8

#: No write barriers: servers are for trying things, their etcd calls fsync all the time, and
#: each barrier would be a flush of the host's disk. A crash of the whole machine may
#: therefore cost the pool, which `vks down --purge` makes anew.
MOUNT_OPTIONS = "loop,noatime,nobarrier,discard=async"


class PoolError(RuntimeError):
    """The pool cannot be made, mounted or changed; the message holds the tool's own words."""


@dataclass(frozen=True)
class Pool:
    """Paths and operations of the pool below one cache directory. Needs root."""

    cache: Path

    @property
    def file(self) -> Path:
        return self.cache / "pool.btrfs"

    @property
    def root(self) -> Path:
        """Where the pool is mounted."""
        return self.cache / "pool"

    @property
    def bases(self) -> Path:
        return self.root / "bases"

    @property
    def images(self) -> Path:
        return self.root / "images"

    def instance(self, name: str) -> Path:
        """The directory of one instance's server disks ."""
        return self.root / "instances" / name

    def mounted(self) -> bool:
        return self.root.is_mount()

    def mount(self) -> None:
        """Make the pool if there is none and mount it; does nothing when it is mounted."""
        with self.locked():
            self._mount()

    def claim(self, name: str) -> None:
        """Mount the pool and keep it mounted for an instance, until `release`."""
        with self.locked():
            self._mount()
            self.instance(name).mkdir(exist_ok=True)

    def release(self, name: str) -> None:
        """Delete the instance's disks and its claim; one that is gone already is no error."""
        if not self.mounted() or not self.instance(name).exists():
            return
        for disk in sorted(self.instance(name).iterdir()):
            self._delete_disk(disk)
        self.instance(name).rmdir()

    def unmount_if_unused(self) -> bool:
        """Unmount unless an instance claims it or something has files open there.

        Returns whether it is unmounted now.
        """
        with self.locked():
            if not self.mounted():
                return True
            if self.instances_in_use():
                return False
            done = subprocess.run(["umount", str(self.root)], capture_output=True, text=True)
            if done.returncode != 0 and "busy" not in done.stderr:
                raise PoolError(f"umount {self.root}: {done.stderr.strip()}")
            return done.returncode == 0

    def instances_in_use(self) -> list[str]:
        """Names of the instances that claim the pool or have disks in it."""
        directory = self.root / "instances"
        return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []

    def snapshot(self, source: Path, target: Path, *, read_only: bool = False) -> None:
        """Make `target` a copy-on-write copy of the subvolume `source`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = ["-r"] if read_only else []
        _run("btrfs", "-q", "subvolume", "snapshot", *flags, str(source), str(target))

    def create(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        _run("btrfs", "-q", "subvolume", "create", str(target))

    def delete(self, target: Path) -> None:
        """Remove a subvolume and those below it; one that is gone already is no error."""
        if not target.exists():
            return
        for line in _run("btrfs", "subvolume", "list", "-o", str(target)).splitlines():
            self.delete(self.root / line.partition(" path ")[2])
        _run("btrfs", "-q", "subvolume", "delete", str(target))

    def _delete_disk(self, disk: Path) -> None:
        """A server's disk: a subvolume, or a volume's file and the directory that it is mounted
        at."""
        if _is_subvolume(disk):  # looks like a mount: it has a device number of its own
            self.delete(disk)
            return
        if disk.is_mount():
            _run("umount", str(disk))
        if disk.is_dir():
            disk.rmdir()
        else:
            disk.unlink()

    def uuid(self, subvolume: Path) -> str:
        return self._shown(subvolume, "UUID")

    def parents_of_disks(self) -> set[str]:
        """UUIDs of the subvolumes that the instances' disks are snapshots of."""
        disks = (self.root / "instances").glob("*/*")
        return {self._shown(disk, "Parent UUID") for disk in disks if _is_subvolume(disk)}

    def _shown(self, subvolume: Path, field: str) -> str:
        for line in _run("btrfs", "subvolume", "show", str(subvolume)).splitlines():
            name, _, value = line.strip().partition(":")
            if name == field:
                return value.strip()
        raise PoolError(f"btrfs shows no {field} of {subvolume}")

    @contextmanager
    def locked(self, name: str = "pool") -> Iterator[None]:
        """Hold the machine-wide lock of that name; the kernel releases it with the process."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _mount(self) -> None:
        if self.mounted():
            return
        if not self.file.exists():
            self._make()
        self.root.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "btrfs", "-o", MOUNT_OPTIONS, str(self.file), str(self.root))
        for directory in (self.bases, self.images, self.root / "instances"):
            directory.mkdir(exist_ok=True)

    def _make(self) -> None:
        size = min(POOL_BYTES, int(shutil.disk_usage(self.cache).free * POOL_PART_OF_FREE_SPACE))
        partial = self.file.with_suffix(".partial")
        with partial.open("wb") as file:
            file.truncate(size)
        _run("mkfs.btrfs", "-q", "-f", "-m", "single", "-L", "vks-pool", str(partial))
        partial.rename(self.file)


def _is_subvolume(path: Path) -> bool:
    """The root of a subvolume has this inode number and no other file has (btrfs-subvolume(8))."""
    return path.is_dir() and path.stat().st_ino == 256


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise PoolError(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        raise PoolError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
