"""Makes programs under one directory of the cache, each once, whoever asks at the same time."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vks.local.assets.programs import BUILD_ENVIRONMENT, BUILD_FLAGS, Program
from vks.local.assets.sources import SkippedError, from_directory, from_release
from vks.local.assets.toolchain import Go, ensure_go, required_go
from vks.local.assets.versions import upstream_directory
from vks.local.commands import CommandError, run_logged
from vks.local.progress import Progress


@dataclass(frozen=True)
class Workshop:
    """`digest` is the key of what is made; `directory` and `releases` are where a program is
    looked for before it is built (see `vks.local.assets.ensure`)."""

    cache: Path
    digest: str
    progress: Progress
    directory: Path | None
    releases: str | None

    @property
    def root(self) -> Path:
        return self.cache / "assets" / self.digest

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def complete(self) -> Path:
        """The list of container images: the last thing that is written."""
        return self.root / "images.txt"

    def once(self, make: Callable[[], None]) -> None:
        """Calls `make` unless everything is there; callers at the same time wait for it."""
        if self.complete.exists():
            return
        with self._locked():
            if not self.complete.exists():
                self.bin.mkdir(parents=True, exist_ok=True)
                make()

    def single(self, program: Program) -> Path:
        """The program alone, made unless it is there. Raises CommandError or ToolchainError."""
        target = self.bin / program.name
        if not target.exists():
            with self._locked():
                self.bin.mkdir(parents=True, exist_ok=True)
                self.obtain([program])
        return target

    def obtain(self, programs: Iterable[Program]) -> None:
        """Puts those that are missing into `bin`. Raises CommandError or ToolchainError."""
        wanted = tuple(programs)
        for number, program in enumerate(wanted, start=1):
            if not (self.bin / program.name).exists():
                self._obtain(program, f"({number} of {len(wanted)})")

    def list_images(self, version: str) -> None:
        """Writes down which container images kubeadm asks for: the work is complete."""
        command = [str(self.bin / "kubeadm"), "config", "images", "list"]
        done = subprocess.run(
            [*command, f"--kubernetes-version={version}"], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise CommandError(f"kubeadm config images list: {done.stderr.strip()}")
        self.atomically(self.complete, lambda path: path.write_text(done.stdout))

    def images(self) -> tuple[str, ...]:
        return tuple(self.complete.read_text().split())

    def go(self) -> Go:
        texts = [path.read_text() for path in upstream_directory().glob("*/go.mod")]
        return ensure_go(self.cache, required_go(texts), self.progress, self._log)

    def atomically(self, target: Path, make: Callable[[Path], object]) -> None:
        """Give `target` its name only when `make` has finished; killed attempts go first."""
        partial = target.with_name(f".{target.name}.partial")
        if partial.is_dir():
            shutil.rmtree(partial)
        partial.unlink(missing_ok=True)
        make(partial)
        partial.rename(target)

    @property
    def _log(self) -> Path:
        return self.cache / "logs" / "assets.log"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with self.root.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with self.progress.step("Waiting for another build of the upstream programs"):
                    fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _obtain(self, program: Program, position: str) -> None:
        target = self.bin / program.name
        for source in self._sources(program):
            try:
                self.atomically(target, source)
            except SkippedError as reason:
                self.progress.note(f"{program.name}: {reason}")
            else:
                return
        self.atomically(target, lambda path: self._build(program, path, position))

    def _sources(self, program: Program) -> Iterator[Callable[[Path], None]]:
        directory, releases = self.directory, self.releases
        if directory is not None:
            yield lambda path: from_directory(directory, program, path)
        if releases is not None:
            yield lambda path: from_release(releases, program, path)

    def _build(self, program: Program, target: Path, position: str) -> None:
        command = [str(self.go().command), "build", *BUILD_FLAGS]
        title = f"Building {program.name} {program.version} {position}"
        with self.progress.step(title) as step:
            run_logged(
                [*command, "-ldflags", program.linker_flags, "-o", str(target), program.package],
                step,
                self._log,
                cwd=upstream_directory() / program.project,
                env={**os.environ, **BUILD_ENVIRONMENT},
            )
