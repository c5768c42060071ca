"""Kernel settings of the machine that a region needs: raised when lower, restored at the end.

What was changed is recorded in /run, which a reboot clears together with the settings.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vks.local.platform import files

#: The least that about fifty nodes need; kubelet and containerd exit when inotify runs out.
MINIMUMS = {
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 1048576,
    "net/netfilter/nf_conntrack_max": 262144,
}
MODULES = ("overlay", "veth", "bridge", "nf_tables", "nf_conntrack", "loop", "btrfs")

RECORD = Path("/run/vks/host.json")
_SYSCTL = Path("/proc/sys")


def prepare(home: Path, record: Path = RECORD, sysctl: Path = _SYSCTL) -> None:
    """Loads modules and raises settings for the instance in `home`."""
    if record is RECORD and shutil.which("modprobe"):
        # Built-in or missing ones are told apart by `vks doctor`, which tries the features.
        subprocess.run(["modprobe", "--quiet", "--all", *MODULES], check=False)
    with _recorded(record) as known:
        for key, minimum in MINIMUMS.items():
            path = sysctl / key
            if path.exists() and (value := int(path.read_text())) < minimum:
                known["original"].setdefault(key, value)
                _save(record, known)  # before the change: a crash here must not lose it
                path.write_text(str(minimum))
        if str(home) not in known["homes"]:
            known["homes"].append(str(home))
        _save(record, known)


def release(home: Path, record: Path = RECORD, sysctl: Path = _SYSCTL) -> None:
    """Restores the settings when no other instance needs them."""
    with _recorded(record) as known:
        known["homes"] = [h for h in known["homes"] if h != str(home) and Path(h).exists()]
        if known["homes"]:
            _save(record, known)
            return
        for key, value in known["original"].items():
            path = sysctl / key
            if path.exists() and int(path.read_text()) == MINIMUMS.get(key):
                path.write_text(str(value))
        record.unlink(missing_ok=True)


@contextmanager
def _recorded(record: Path) -> Iterator[dict[str, Any]]:
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        empty: dict[str, Any] = {"original": {}, "homes": []}
        yield json.loads(record.read_text()) if record.exists() else empty


def _save(record: Path, known: dict[str, Any]) -> None:
    files.write(record, json.dumps(known, indent=2) + "\n")
