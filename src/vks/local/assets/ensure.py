"""Gets all upstream programs into the cache, once."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vks.local.assets import cluster_api
from vks.local.assets.model import Assets
from vks.local.assets.programs import (
    BUILD_ENVIRONMENT,
    BUILD_FLAGS,
    Program,
    assets_digest,
    programs,
)
from vks.local.assets.sources import SkippedError, from_directory, from_release
from vks.local.assets.toolchain import Go, ensure_go, required_go
from vks.local.assets.versions import pinned_versions, upstream_directory
from vks.local.commands import CommandError, run_logged
from vks.local.progress import Progress


def ensure_assets(
    cache: Path,
    progress: Progress,
    *,
    directory: Path | None = None,
    releases: str | None = None,
) -> Assets:
    """Return the upstream programs; the first time, copy, download or build what is missing.

    `directory` holds programs to use when their version fits (default: KUBEBUILDER_ASSETS).
    `releases` is `official` or a mirror's URL to download from (default: VKS_RELEASES; none).
    What neither has is built from the pinned modules: about 15 minutes on two cores. Each
    program is kept as soon as it is there, so an interrupted call goes on where it was, and
    callers at the same time wait for one another. Raises CommandError or ToolchainError.
    """
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if directory is None and given:
        directory = Path(given)
    work = _Work(cache, progress, directory, releases or os.environ.get("VKS_RELEASES"))
    if not work.complete.exists():
        with work.locked():
            if not work.complete.exists():
                work.make()
    work.publish()
    return work.assets()


@dataclass(frozen=True)
class _Work:
    cache: Path
    progress: Progress
    directory: Path | None
    releases: str | None

    @cached_property
    def programs(self) -> tuple[Program, ...]:
        return programs(pinned_versions())

    @cached_property
    def digest(self) -> str:
        return assets_digest(upstream_directory(), self.programs)

    @property
    def root(self) -> Path:
        return self.cache / "assets" / self.digest

    @property
    def complete(self) -> Path:
        """The list of container images: the last thing that is written."""
        return self.root / "images.txt"

    @property
    def log(self) -> Path:
        return self.cache / "logs" / "assets.log"

    def assets(self) -> Assets:
        return Assets(
            digest=self.digest,
            versions=pinned_versions(),
            bin=self.root / "bin",
            cluster_api_module=self.root / "cluster-api",
            manifests=self.root / "manifests",
            container_images=tuple(self.complete.read_text().split()),
        )

    def make(self) -> None:
        (self.root / "bin").mkdir(parents=True, exist_ok=True)
        for number, program in enumerate(self.programs, start=1):
            if not (self.root / "bin" / program.name).exists():
                self._obtain(program, f"({number} of {len(self.programs)})")
        self._manifests()
        self._atomically(self.complete, self._write_images)

    def publish(self) -> None:
        """Point `CACHE/assets/bin` at these programs, for people and for tests."""
        link = self.cache / "assets" / "bin"
        target = f"{self.digest}/bin"
        if link.is_symlink() and os.readlink(link) == target:
            return
        partial = link.with_name(f".bin-{os.getpid()}")
        partial.unlink(missing_ok=True)
        partial.symlink_to(target)
        partial.rename(link)

    @contextmanager
    def locked(self) -> Iterator[None]:
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with self.root.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with self.progress.step("Waiting for another build of the upstream programs"):
                    fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _obtain(self, program: Program, position: str) -> None:
        target = self.root / "bin" / program.name
        for source in self._sources(program):
            try:
                self._atomically(target, source)
            except SkippedError as reason:
                self.progress.note(f"{program.name}: {reason}")
            else:
                return
        self._atomically(target, lambda path: self._build(program, path, position))

    def _sources(self, program: Program) -> Iterator[Callable[[Path], None]]:
        directory, releases = self.directory, self.releases
        if directory is not None:
            yield lambda path: from_directory(directory, program, path)
        if releases is not None:
            yield lambda path: from_release(releases, program, path)

    def _build(self, program: Program, target: Path, position: str) -> None:
        go = self._go()
        command = [str(go.command), "build", *BUILD_FLAGS, "-ldflags", program.linker_flags]
        title = f"Building {program.name} {program.version} {position}"
        with self.progress.step(title) as step:
            run_logged(
                [*command, "-o", str(target), program.package],
                step,
                self.log,
                cwd=upstream_directory() / program.project,
                env={**os.environ, **BUILD_ENVIRONMENT},
            )

    def _go(self) -> Go:
        texts = [path.read_text() for path in upstream_directory().glob("*/go.mod")]
        return ensure_go(self.cache, required_go(texts), self.progress, self.log)

    def _manifests(self) -> None:
        """Cluster API's definitions and webhooks: from the module, like its programs."""
        module = self.root / "cluster-api"
        if not module.exists():
            self._atomically(module, self._copy_cluster_api)
        manifests = self.root / "manifests"
        if not manifests.exists():
            kubectl = self.root / "bin" / "kubectl"
            self._atomically(manifests, lambda path: cluster_api.render(module, path, kubectl))

    def _copy_cluster_api(self, target: Path) -> None:
        prepared = None if self.directory is None else self.directory.parent / "cluster-api"
        if prepared is not None and prepared.is_dir():
            shutil.copytree(prepared, target)
            return
        go = self._go()
        project = upstream_directory() / "cluster-api"
        go.output("mod", "download", cluster_api.MODULE, cwd=project)
        found = go.output("list", "-m", "-f", "{{.Dir}}", cluster_api.MODULE, cwd=project)
        cluster_api.copy_configuration(Path(found.strip()), target)

    def _write_images(self, target: Path) -> None:
        version = pinned_versions().kubernetes
        kubeadm = self.root / "bin" / "kubeadm"
        command = [str(kubeadm), "config", "images", "list", f"--kubernetes-version={version}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise CommandError(f"kubeadm config images list: {done.stderr.strip()}")
        target.write_text(done.stdout)

    def _atomically(self, target: Path, make: Callable[[Path], None]) -> None:
        """Give `target` its name only when `make` has finished; killed attempts go first."""
        partial = target.with_name(f".{target.name}.partial")
        if partial.is_dir():
            shutil.rmtree(partial)
        partial.unlink(missing_ok=True)
        make(partial)
        partial.rename(target)
