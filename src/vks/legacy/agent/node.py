"""The machine that the agent runs on: programs, files, services, and requests to its loopback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import os
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Plan = dict[str, Any]

PREFIX = "legacy-"
_UNITS = Path("/etc/systemd/system")
_STATE = Path("/var/lib/vks-legacy/services")
_MOUNT = Path("/run/vks-legacy/image")
_COMMAND_SECONDS = 60.0
_CTR = ("ctr", "--namespace", "k8s.io", "images")


class PlanError(Exception):
    """The node cannot be made like the plan; the message says what failed."""


class Request(NamedTuple):
    """One HTTP request to this machine. Paths of PEM files; without `ca` nobody is verified."""

    method: str
    host: str
    port: int
    path: str
    tls: bool = True
    ca: str = ""
    cert: str = ""
    key: str = ""
    body: str = ""
    content_type: str = "application/json"
    timeout: float = 10.0


class Response(NamedTuple):
    """`status` 0: there was no answer, and `body` says why."""

    status: int
    body: str


class Node(Protocol):
    """What the agent asks of its machine."""

    async def images(self) -> list[str]:
        """Names of the container images that the machine brought."""
        ...

    async def apply(self, plan: Plan) -> None:
        """Make the machine like the plan. Raises PlanError; may be repeated after any crash."""
        ...

    async def running(self, services: list[str]) -> dict[str, list[str]]:
        """The command line of each of the services that runs, as the kernel knows it."""
        ...

    async def fetch(self, request: Request) -> Response:
        """Never raises for a server's failure."""
        ...


class SystemNode:
    """A machine with systemd and containerd."""

    async def images(self) -> list[str]:
        return (await asyncio.to_thread(_run, *_CTR, "list", "--quiet")).split()

    async def apply(self, plan: Plan) -> None:
        await asyncio.to_thread(apply, plan)

    async def running(self, services: list[str]) -> dict[str, list[str]]:
        return await asyncio.to_thread(running, services)

    async def fetch(self, request: Request) -> Response:
        return await asyncio.to_thread(fetch, request)


def apply(plan: Plan) -> None:
    """Programs, then files, then services; what the plan does not name any more stops."""
    try:
        for program in plan["programs"]:
            _install(program["image"], program["source"], Path(program["target"]))
        for file in plan["files"]:
            put(Path(file["path"]), file["content"], file["mode"])
        _remove_services({service["name"] for service in plan["services"]})
        units = [
            put(_UNITS / f"{service['name']}.service", service["unit"], 0o644)
            for service in plan["services"]
        ]
        if any(units):
            _run("systemctl", "daemon-reload")
        contents = {file["path"]: file["content"] for file in plan["files"]}
        for service in plan["services"]:
            _ensure_service(service, contents)
    except OSError as error:
        raise PlanError(str(error)) from error


def running(services: list[str]) -> dict[str, list[str]]:
    """Raises PlanError when systemd does not answer."""
    if not services:
        return {}
    shown = _run("systemctl", "show", "--property=MainPID", "--value", *services)
    lines = {}
    for service, pid in zip(services, shown.split(), strict=False):
        with contextlib.suppress(OSError):  # it ended meanwhile, or never ran (pid 0)
            if "systemd" in Path(f"/proc/{pid}/exe").readlink().name:
                continue  # about to start it
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            lines[service] = [word for word in words.split("\0") if word]
    return lines


def put(path: Path, content: str, mode: int) -> bool:
    """Write the file whole or not at all; whether it had to be."""
    with contextlib.suppress(FileNotFoundError):
        same = path.read_text() == content
        if same and path.stat().st_mode & 0o777 == mode:
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w") as file:
        os.fchmod(handle, mode)
        file.write(content)
        file.flush()
        os.fsync(handle)
    partial.replace(path)
    return True


def _install(image: str, source: str, target: Path) -> None:
    """A program out of a container image of the machine: no network, no second copy of truth."""
    if target.exists():
        return
    _MOUNT.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(PlanError):  # of a run that was killed
        _run(*_CTR, "unmount", "--rm", str(_MOUNT))
    _run(*_CTR, "mount", image, str(_MOUNT))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        shutil.copyfile(_MOUNT / source, partial)
        partial.chmod(0o755)
        partial.replace(target)
    finally:
        _run(*_CTR, "unmount", "--rm", str(_MOUNT))


def _ensure_service(service: dict[str, Any], contents: dict[str, str]) -> None:
    """Restarted when the unit or a file that it reads is not the one it was started with. What it
    was started with is written down only afterwards: a crash in between restarts it once more."""
    name = service["name"]
    parts = [service["unit"], *(contents[path] for path in service["files"])]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    record = _STATE / name
    if not record.exists() or record.read_text() != digest:
        _run("systemctl", "enable", "--quiet", name)
        _run("systemctl", "restart", "--no-block", name)
        put(record, digest, 0o600)
    elif _state(name) not in ("active", "activating", "reloading"):
        _run("systemctl", "start", "--no-block", name)


def _remove_services(wanted: set[str]) -> None:
    for unit in sorted(_UNITS.glob(f"{PREFIX}*.service")):
        if unit.stem not in wanted:
            _run("systemctl", "disable", "--quiet", "--now", unit.stem)
            unit.unlink()
            (_STATE / unit.stem).unlink(missing_ok=True)


def _state(name: str) -> str:
    done = subprocess.run(
        ["systemctl", "is-active", name], capture_output=True, text=True, timeout=_COMMAND_SECONDS
    )
    return done.stdout.strip()


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise PlanError(f"{command[0]}: no end after {_COMMAND_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise PlanError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def fetch(request: Request) -> Response:
    """One request on a connection of its own."""
    try:
        connection = _connection(request)
        try:
            headers = {"Content-Type": request.content_type} if request.body else {}
            body = request.body.encode() or None
            connection.request(request.method, request.path, body, headers)
            answer = connection.getresponse()
            return Response(answer.status, answer.read().decode(errors="replace"))
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return Response(0, str(error) or type(error).__name__)


def _connection(request: Request) -> http.client.HTTPConnection:
    if not request.tls:
        return http.client.HTTPConnection(request.host, request.port, timeout=request.timeout)
    if request.ca:
        context = ssl.create_default_context(cafile=request.ca)
    else:
        # A component's self-made certificate on our own loopback: there is nothing to verify.
        context = ssl._create_unverified_context()  # noqa: S323
    if request.cert:
        context.load_cert_chain(request.cert, request.key)
    return http.client.HTTPSConnection(
        request.host, request.port, timeout=request.timeout, context=context
    )
