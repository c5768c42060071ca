"""Keys, and ways in to servers by them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.clouds import Json
from tests.support.localregion import LocalRegion

#: What people type into the comments of their keys.
_COMMENT = "me@{{ home }}: 'x' # {% if"


def new_key(directory: Path, name: str) -> Path:
    """The private part; the public one is beside it."""
    path = directory / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", _COMMENT, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def public_part(key: Path) -> str:
    return key.with_suffix(".pub").read_text()


def login(node: Json) -> str:
    """Where the owner of a node's key logs in; `node` is as the REST API shows it."""
    address = next(a["address"] for a in node["addresses"] if a["type"] == "InternalIP")
    return f"vks@{address}"


def ssh(region: LocalRegion, key: Path, destination: str, *command: str) -> str:
    """What the command says there, or why there is no way in. Host keys end up beside the key."""
    options = (
        *("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "IdentitiesOnly=yes"),
        *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={known_hosts(key)}"),
    )
    within = ["ip", "netns", "exec", region.instance.fabric_netns]
    done = subprocess.run(
        [*within, "ssh", "-i", str(key), *options, destination, *command],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout if done.returncode == 0 else done.stderr


def known_hosts(key: Path) -> Path:
    return key.with_suffix(".hosts")
