"""What a node image consists of: packages and steps as data files, and the key of the result."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"

_HERE = Path(__file__).parent
_DETECT = _HERE / "steps" / "detect.sh"

#: Directories of steps: the first makes a node of any Debian system, the second adds what
#: is special about a system container.
NODE_STEPS = "node"
CONTAINER_STEPS = "container"


@dataclass(frozen=True)
class Step:
    """One shell script, run by `sh -eu` as root with the facts and `VKS_*` variables set."""

    name: str
    script: str


@dataclass(frozen=True)
class Facts:
    """What this machine allows, as the assignments that `steps/detect.sh` makes."""

    assignments: tuple[tuple[str, str], ...]

    @classmethod
    def of_this_machine(cls) -> Facts:
        names = ("VKS_CGROUP_VERSION", "VKS_MAY_LOWER_OOM_SCORE")
        script = f'. "$1"; printf "%s\\n" {" ".join(f"${name}" for name in names)}'
        values = subprocess.run(
            ["sh", "-euc", script, "detect", str(_DETECT)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        return cls(tuple(zip(names, values, strict=True)))


def packages(of: str) -> list[str]:
    """Debian packages of the `node` or of the layer below every `container` image."""
    lines = (_HERE / "packages" / f"{of}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def steps(*directories: str) -> list[Step]:
    """The steps of `directories`, in that order and sorted by name within each."""
    return [
        Step(path.stem, path.read_text())
        for directory in directories
        for path in sorted((_HERE / "steps" / directory).glob("*.sh"))
    ]


def detection() -> str:
    """The script that finds the facts, for a first-boot script to carry."""
    return _DETECT.read_text()


def digest(parts: Iterable[str]) -> str:
    """A short key for what an image was made from: equal parts, equal key."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part.encode()).digest())
    return total.hexdigest()[:16]


def source_digest(*files: str) -> str:
    """The key of files of this package that decide about the image's content."""
    return digest((_HERE / file).read_text() for file in files)
