"""Ways to get a program without building it: a directory at hand, official releases.

Each puts the program at a path or says why it cannot, as a `Skipped` with the reason.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from vks.local.assets.programs import Program

#: A server that does not answer within this time is not there: building goes on instead.
DOWNLOAD_TIMEOUT_SECONDS = 10.0
_VERSION_TIMEOUT_SECONDS = 20.0
_PLATFORM = "linux", "amd64"


class SkippedError(Exception):
    """This source does not have the program; the message says why."""


def from_directory(directory: Path, program: Program, target: Path) -> None:
    """Copy the program from `directory` when it is there in the pinned version."""
    candidate = directory / program.name
    if not candidate.is_file():
        raise SkippedError(f"{directory} has no {program.name}")
    if not has_version(candidate, program):
        raise SkippedError(f"{candidate} is not {program.version}")
    shutil.copyfile(candidate, target)
    target.chmod(0o755)


def has_version(path: Path, program: Program) -> bool:
    """Whether the program at `path` says that it is the pinned version."""
    if not program.version_arguments:
        module = program.package.split("/")[:2]
        return f"\t{'/'.join(module)}\t{program.version}".encode() in path.read_bytes()
    try:
        done = subprocess.run(
            [path, *program.version_arguments],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    number = re.escape(program.version.removeprefix("v"))
    return re.search(rf"(?<![\d.]){number}(?![\d.])", done.stdout) is not None


@dataclass(frozen=True)
class Release:
    """Where a project publishes a program, its checksum, and its name inside an archive."""

    host: str
    path: str
    checksums: str
    member: str | None = None


def release_of(program: Program) -> Release | None:
    """The official release of a program; None when its project publishes none with checksum."""
    system, machine = _PLATFORM
    version = program.version
    number = version.removeprefix("v")
    match program.project:
        case "kubernetes":
            path = f"/release/{version}/bin/{system}/{machine}/{program.name}"
            return Release("dl.k8s.io", path, f"{path}.sha256")
        case "etcd":
            base = f"/etcd-io/etcd/releases/download/{version}"
            stem = f"etcd-{version}-{system}-{machine}"
            member = f"{stem}/{program.name}"
            return Release("github.com", f"{base}/{stem}.tar.gz", f"{base}/SHA256SUMS", member)
        case "coredns":
            base = f"/coredns/coredns/releases/download/{version}"
            file = f"coredns_{number}_{system}_{machine}.tgz"
            return Release("github.com", f"{base}/{file}", f"{base}/{file}.sha256", "coredns")
    return None


def from_release(base: str, program: Program, target: Path) -> None:
    """Download the program and verify its SHA-256.

    `base` is `official`, or the URL of a mirror that has each publishing host as its first
    path segment (`http://mirror/dl.k8s.io/release/…`).
    """
    release = release_of(program)
    if release is None:
        raise SkippedError(f"{program.name} is not published as a binary")
    root = f"https://{release.host}" if base == "official" else f"{base.rstrip('/')}/{release.host}"
    checksum = _checksum(_fetch(root + release.checksums).decode(), release.path)
    content = _fetch(root + release.path)
    if hashlib.sha256(content).hexdigest() != checksum:
        raise SkippedError(f"{root}{release.path} does not have the published checksum")
    download = target.with_name(f"{target.name}.download")
    download.write_bytes(content)
    try:
        if release.member is None:
            os.replace(download, target)
        else:
            _extract(download, release.member, target)
    finally:
        download.unlink(missing_ok=True)
    target.chmod(0o755)


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_SECONDS) as answer:  # noqa: S310
            content: bytes = answer.read()
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise SkippedError(f"{url}: {error}") from error
    return content


def _checksum(published: str, path: str) -> str:
    """The digest in a file that holds just it, or in the line of a list that names the file."""
    name = path.rpartition("/")[2]
    lines = [line.split() for line in published.splitlines() if line.strip()]
    for words in lines:
        if len(words) == 1 or words[-1].lstrip("*").rpartition("/")[2] == name:
            return words[0].lower()
    raise SkippedError(f"no checksum of {name} is published")


def _extract(archive: Path, member: str, target: Path) -> None:
    with tarfile.open(archive) as tar:
        try:
            content = tar.extractfile(member)
        except KeyError as error:
            raise SkippedError(f"{archive} has no {member}") from error
        if content is None:
            raise SkippedError(f"{member} in {archive} is not a file")
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
