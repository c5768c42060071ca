"""Obtains the programs of the stack once, below the cache, without touching the system.

Debian packages are downloaded by apt (signatures checked) and unpacked into a directory of
their own: no service is registered, no user made, nothing starts at boot, and removing the
directory removes them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: What the stack needs from Debian; apt adds whatever these need and the machine lacks.
DEBIAN_PACKAGES: tuple[str, ...] = (
    "mariadb-client-core",
    "mariadb-server-core",
    "rabbitmq-server",
)

HERE = Path(__file__).resolve().parent
LOCK_FILE = HERE.parents[2] / "requirements" / "openstack.txt"


@dataclass(frozen=True)
class Installation:
    """Programs of one release of the stack, named by what went into them."""

    root: Path
    snapshot: Path  # a seeded, stopped stack's data, from which later ones start; or not yet

    @property
    def venv(self) -> Path:
        return self.root / "venv"

    @property
    def debian(self) -> Path:
        """Where the Debian packages are unpacked: their `/`."""
        return self.root / "debian"

    def library_path(self) -> str:
        lib = "lib/x86_64-linux-gnu" if os.uname().machine == "x86_64" else "lib/aarch64-linux-gnu"
        return f"{self.debian}/usr/{lib}:{self.debian}/{lib}"

    def erlang(self, program: str) -> Path:
        (erts,) = (self.debian / "usr/lib/erlang").glob("erts-*")
        return erts / "bin" / program

    def rabbitmq_server(self) -> Path:
        (home,) = (self.debian / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")
        return home / "sbin" / "rabbitmq-server"


def ensure_installed(cache: Path) -> Installation:
    """The installation below `cache`, made if it is missing. Safe to call concurrently.

    Raises CalledProcessError (with the output on our stderr) when apt or uv fails.
    """
    root = cache / "openstack" / _digest([LOCK_FILE, *HERE.glob("driver/**/*.*")])
    seeding = ["commands", "database", "layout", "render", "seed", "stack"]
    sources = [*(HERE / f"{name}.py" for name in seeding), *HERE.glob("templates/*")]
    installation = Installation(root, root / f"snapshot-{_digest(sources)}")
    with locked(installation.root):
        if not (installation.venv / ".complete").exists():
            _install_python(installation)
        if not (installation.debian / ".complete").exists():
            _install_debian(installation)
    return installation


def _digest(sources: Iterable[Path]) -> str:
    digest = hashlib.sha256(repr(DEBIAN_PACKAGES).encode())
    for path in sorted(path for path in sources if path.is_file() and path.suffix != ".pyc"):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """One process at a time works on `root`."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root.mkdir(exist_ok=True)
        yield


def _install_python(installation: Installation) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    shutil.rmtree(installation.venv, ignore_errors=True)
    _run(uv, "venv", "--quiet", "--python", sys.executable, installation.venv)
    python = ("--python", installation.venv / "bin" / "python")
    _run(uv, "pip", "sync", "--quiet", *python, "--require-hashes", LOCK_FILE)
    driver = installation.root / "driver"  # a copy: setuptools builds inside its source tree
    shutil.copytree(HERE / "driver", driver, dirs_exist_ok=True)
    _run(
        uv, "pip", "install", "--quiet", *python, "--no-deps", "--no-build-isolation", driver
    )  # fmt: skip
    (installation.venv / ".complete").touch()


def _install_debian(installation: Installation) -> None:
    archives = installation.root / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    download = (
        "apt-get", "install", "--yes", "--no-install-recommends", "--download-only", "--reinstall",
        "--quiet", f"--option=Dir::Cache::archives={archives}", "--option=Debug::NoLocking=1",
        *DEBIAN_PACKAGES,
    )  # fmt: skip
    try:
        _run(*download)
    except subprocess.CalledProcessError:  # no package lists yet, or outdated ones
        _run("apt-get", "update", "--quiet")
        _run(*download)
    shutil.rmtree(installation.debian, ignore_errors=True)
    installation.debian.mkdir()
    for package in sorted(archives.glob("*.deb")):
        _run("dpkg-deb", "--extract", package, installation.debian)
    _relocate_erlang(installation.debian)
    shutil.rmtree(archives)
    (installation.debian / ".complete").touch()


def _relocate_erlang(debian: Path) -> None:
    """Debian's `erl` insists on /usr/lib/erlang, even when it was moved."""
    erl = debian / "usr/lib/erlang/bin/erl"
    moved = erl.read_text().replace("=/usr/lib/erlang\n", f"={debian}/usr/lib/erlang\n")
    erl.write_text(moved)


def _run(*argv: str | Path) -> None:
    command = ["nice", *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
