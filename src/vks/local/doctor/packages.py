"""The Debian packages of a local region: the one list that `make` and `vks doctor` use."""

from __future__ import annotations

import os
import shutil
import subprocess

from vks.local.commands import CommandError

#: Package -> (a program of it, what it is for).
PACKAGES: dict[str, tuple[str, str]] = {
    "btrfs-progs": ("mkfs.btrfs", "server disks"),
    "ca-certificates": ("update-ca-certificates", "downloads"),
    "e2fsprogs": ("mke2fs", "root volumes"),
    "haproxy": ("haproxy", "load balancers"),
    "iproute2": ("ip", "the fabric"),
    "lxc": ("lxc-start", "servers"),
    "mmdebstrap": ("mmdebstrap", "the node image"),
    "nftables": ("nft", "the fabric"),
    "openssh-client": ("ssh", "logging in to nodes"),
    "procps": ("sysctl", "kernel settings"),
    "util-linux": ("nsenter", "namespaces"),
}


def missing_packages() -> list[str]:
    """Those whose program is not there."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [p for p, (program, _) in PACKAGES.items() if not shutil.which(program, path=path)]


def install_packages() -> None:
    """Installs the missing ones by apt. Raises CommandError, which holds apt's own words."""
    missing = missing_packages()
    if not missing:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], environment)
    run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing], environment)


def run(command: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise CommandError(f"{command[0]} is not there: is this a Debian system?") from error
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command)}:\n{done.stderr.strip()}")
