"""A program under test: how it is obtained, started and measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vks.local.assets.toolchain import ensure_go, go_version
from vks.local.progress import terminal_progress

HERE = Path(__file__).parent
_ROOT = HERE.parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Subject:
    """`command` makes the argument list from a kubeconfig's path and a number of workers;
    `version` says what it is built with."""

    name: str
    command: Callable[[Path, int], list[str]]
    version: str


class Process:
    """The running program."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def require_alive(self) -> None:
        """Raises RuntimeError when it ended by itself."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the program ended with {self._process.returncode}")

    def cpu(self) -> float:
        """Seconds of CPU so far, user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_rss(self) -> float:
        """The largest resident set so far, in MiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024


@contextmanager
def running(subject: Subject, kubeconfig: Path, workers: int, log: Path) -> Iterator[Process]:
    """Starts the program; its output goes to `log`."""
    argv = ["setpriv", "--pdeathsig", "KILL", *subject.command(kubeconfig, workers)]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=_ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield Process(process)
    finally:
        process.kill()
        process.wait()


def subjects(build: Path) -> Mapping[str, Subject]:
    """All of them, installed and built below `build`."""
    return {subject.name: subject for subject in (_vks(), _kopf(build), _controller_runtime(build))}


def _vks() -> Subject:
    def command(kubeconfig: Path, workers: int) -> list[str]:
        module = "benchmarks.runtime.subjects.vks_runtime"
        return [sys.executable, "-m", module, str(kubeconfig), str(workers)]

    return Subject("vks", command, f"Python {sys.version.split()[0]}")


def _kopf(build: Path) -> Subject:
    venv, lock = build / "kopf", HERE / "kopf.txt"
    uv, python = str(Path(sys.executable).with_name("uv")), str(venv / "bin/python")
    if not Path(python).exists():
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(venv)], check=True)
    install = [uv, "pip", "sync", "-q", "--python", python, "--require-hashes", str(lock)]
    subprocess.run(install, check=True)
    show = [uv, "pip", "show", "--python", python, "kopf"]
    details = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    version = next(line for line in details.splitlines() if line.startswith("Version"))

    def command(_: Path, __: int) -> list[str]:
        # kopf bounds its workers by a limit that holds each one for five idle seconds; without
        # it, as by default, every object has a task of its own.
        operator = HERE / "subjects/kopf_operator.py"
        options = ["--standalone", "--all-namespaces", "--log-format=json"]
        return [str(venv / "bin/kopf"), "run", *options, str(operator)]

    return Subject("kopf", command, f"kopf {version.split()[1]}")


def _controller_runtime(build: Path) -> Subject:
    source, program = HERE / "controllerruntime", build / "controllerruntime"
    go_mod = (source / "go.mod").read_text()
    cache = Path(os.environ.get("VKS_CACHE", "/var/cache/vks"))
    go = ensure_go(
        cache,
        next(go_version(line) for line in go_mod.splitlines() if line.startswith("go ")),
        terminal_progress(),
        build / "go.log",
    )
    go.output("build", "-trimpath", "-o", str(program), ".", cwd=source)
    version = next(word for word in _after(go_mod, "sigs.k8s.io/controller-runtime"))

    def command(kubeconfig: Path, workers: int) -> list[str]:
        return [str(program), str(kubeconfig), str(workers)]

    return Subject("controller-runtime", command, f"controller-runtime {version}")


def _after(text: str, word: str) -> Iterator[str]:
    words = text.split()
    yield words[words.index(word) + 1]
