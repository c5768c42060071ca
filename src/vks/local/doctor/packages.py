"""The Debian packages of a local region: the one list that `make` and `vks doctor` use."""

from __future__ import annotations

import os
import subprocess

from vks.local.commands import CommandError

#: Package -> (a program of it, what it is for).
PACKAGES: dict[str, tuple[str, str]] = {
    "btrfs-progs": ("mkfs.btrfs", "server disks"),
    "ca-certificates": ("update-ca-certificates", "downloads"),
    "haproxy": ("haproxy", "load balancers"),
    "iproute2": ("ip", "the fabric"),
    "lxc": ("lxc-start", "servers"),
    "mmdebstrap": ("mmdebstrap", "the node image"),
    "nftables": ("nft", "the fabric"),
    "procps": ("sysctl", "kernel settings"),
    "util-linux": ("nsenter", "namespaces"),
}


def install_packages() -> None:
    """Installs them by apt. Raises CommandError, which holds apt's own words."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], environment)
    run(
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *sorted(PACKAGES)],
        environment,
    )


def run(command: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise CommandError(f"{command[0]} is not there: is this a Debian system?") from error
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command)}:\n{done.stderr.strip()}")
