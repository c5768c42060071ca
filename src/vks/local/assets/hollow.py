"""What hollow servers and the scale benchmark run beside the region's programs.

Nobody else pays for them: each is built when it is asked for.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from vks.local.assets.programs import Program
from vks.local.assets.versions import required_version, upstream_directory
from vks.local.assets.workshop import Workshop
from vks.local.progress import Progress

PROJECT = "hollow"


def ensure_hollow(cache: Path, progress: Progress) -> Path:
    """The program behind hollow servers: ours, around Cluster API's in-memory server.

    Built the first time, about two minutes on two cores. Raises CommandError or ToolchainError.
    """
    return _ensure(cache, progress, "vks-hollow", ".")


def ensure_in_memory_provider(cache: Path, progress: Progress) -> Path:
    """Upstream's provider with the kinds DevCluster and DevMachine, to compare with."""
    module = "sigs.k8s.io/cluster-api/test"
    return _ensure(cache, progress, "capi-in-memory", f"{module}/infrastructure/docker")


def in_memory_version() -> str:
    text = (upstream_directory() / PROJECT / "go.mod").read_text()
    return required_version(text, "sigs.k8s.io/cluster-api/test")


def _ensure(cache: Path, progress: Progress, name: str, package: str) -> Path:
    program = Program(name, PROJECT, package, in_memory_version(), ())
    total = hashlib.sha256(repr(program).encode())
    # The provider is upstream's alone: our sources are no part of it.
    pattern = "*" if package == "." else "go.*"
    for path in sorted((upstream_directory() / PROJECT).glob(pattern)):
        total.update(path.name.encode())
        total.update(path.read_bytes())
    digest = f"{name}-{total.hexdigest()[:16]}"
    return Workshop(cache, digest, progress, None, None).single(program)
