"""A directory of ready-made programs (`vks up --assets DIR`), for machines that build nothing.

It is what `vks build` leaves in the cache below `assets/`:

    bin/          the programs
    cluster-api/  Cluster API's definitions and webhooks
    VERSION/bin/  the node programs of another Kubernetes release, if one is offered
    SHA256SUMS    optional: paths from here, as `sha256sum` prints them

It is checked as a whole before anything of it is used.
"""

from __future__ import annotations

import filecmp
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vks.local.assets.cluster_api import PROVIDERS
from vks.local.assets.programs import Program
from vks.local.assets.sources import has_version

_SUMS = "SHA256SUMS"
_CLUSTER_API = "cluster-api"


class AssetsError(RuntimeError):
    """A directory of assets does not hold what is needed; the message names the files."""


@dataclass(frozen=True)
class Given:
    """`below` is where its programs are."""

    directory: Path
    below: str = "bin"

    @property
    def bin(self) -> Path:
        return self.directory / self.below

    def check(self, programs: Iterable[Program], *, cluster_api: bool = False) -> None:
        """Whether all of the programs are there, in their versions and with their checksums, and
        Cluster API's files if they are needed. Raises AssetsError."""
        if not self.directory.is_dir():
            raise AssetsError(f"{self.directory} is not a directory")
        problems = [problem for program in programs for problem in self._of_program(program)]
        if cluster_api:
            problems += self._of_cluster_api()
        if problems:
            raise AssetsError(f"{self.directory}: {'; '.join(problems)}")

    def check_used(self, programs: Iterable[Program], used: Path) -> None:
        """Whether the programs in `used`, which regions run, are the same. Raises AssetsError."""
        names = [program.name for program in programs]
        _, others, missing = filecmp.cmpfiles(self.bin, used, names, shallow=False)
        if others or missing:
            raise AssetsError(
                f"{self.directory}: {', '.join([*others, *missing])} differ from {used}, which "
                "regions of this machine run: remove that first, or set VKS_CACHE"
            )

    def _of_program(self, program: Program) -> Iterator[str]:
        name = f"{self.below}/{program.name}"
        if not (self.directory / name).is_file():
            yield f"{name} is missing"
        elif wrong := self._checksum(name):
            yield wrong
        elif not has_version(self.directory / name, program):
            yield f"{name} does not run as {program.version}"

    def _of_cluster_api(self) -> Iterator[str]:
        for provider in PROVIDERS.values():
            name = f"{_CLUSTER_API}/{provider}/config"
            if not (self.directory / name).is_dir():
                yield f"{name} is missing"
        for name in self._sums or ():
            if name.startswith(f"{_CLUSTER_API}/") and (wrong := self._checksum(name)):
                yield wrong

    def _checksum(self, name: str) -> str:
        """What is wrong with it, empty when it fits or there is no list to hold it against."""
        if self._sums is None:
            return ""
        if name not in self._sums:
            return f"{name} is not in {_SUMS}"
        try:
            with (self.directory / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return f"{name} is missing"
        return "" if found == self._sums[name] else f"{name} does not have its checksum in {_SUMS}"

    @cached_property
    def _sums(self) -> Mapping[str, str] | None:
        """Checksums by path; None when there is no list."""
        try:
            lines = (self.directory / _SUMS).read_text().splitlines()
        except FileNotFoundError:
            return None
        pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
        return {pair[-1].removeprefix("*").removeprefix("./"): pair[0] for pair in pairs}
