"""A real etcd and kube-apiserver for tests, without a cluster around them.

What a reconciler relies on (server-side apply, conflicts, watches, CRD validation) is only
true on a real API server.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.support.pki import Pki

from vks.kube.config import ClientConfig

_START_TIMEOUT = 60.0


class MissingProgramError(Exception):
    """An upstream program is not where the tests look for it."""


def programs() -> Path:
    """The directory of upstream programs: VKS_TEST_BIN, else the assets of the cache."""
    if named := os.environ.get("VKS_TEST_BIN"):
        return Path(named)
    return Path(os.environ.get("VKS_CACHE", "/var/cache/vks"), "assets", "bin")


@dataclass
class ApiServer:
    """A running API server with its own etcd. `kubeconfig` is an administrator's."""

    directory: Path
    port: int
    etcd_port: int
    pki: Pki
    programs: Path
    flags: tuple[str, ...] = ()
    _etcd: subprocess.Popen[bytes] | None = None
    _server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> bytes:
        return self.kubeconfig_for(self.url)

    def kubeconfig_for(self, server: str) -> bytes:
        """An administrator's kubeconfig for another address of the same server."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": server, "certificate-authority": str(self.pki.ca)},
                }
            ],
            "users": [
                {
                    "name": "admin",
                    "user": {
                        "client-certificate": str(self.pki.admin_cert),
                        "client-key": str(self.pki.admin_key),
                    },
                }
            ],
        }
        return yaml.safe_dump(document).encode()

    @property
    def config(self) -> ClientConfig:
        return ClientConfig.from_kubeconfig(self.kubeconfig)

    def start(self) -> None:
        """Starts what does not run and waits until it is ready."""
        if self._etcd is None:
            self._etcd = self._run("etcd", self._etcd_flags())
        if self._server is None:
            self._server = self._run("kube-apiserver", self._server_flags())
        self._wait_ready()

    def kill_server(self) -> None:
        """kill -9 of the API server; etcd and its data stay."""
        _end(self._server)
        self._server = None

    def stop(self) -> None:
        """Ends both; nothing is left but the directory."""
        self.kill_server()
        _end(self._etcd)
        self._etcd = None

    def compact(self) -> None:
        """Throws away all history in etcd, so that old resource versions are gone."""
        etcdctl = [
            str(_program(self.programs, "etcdctl")),
            f"--endpoints=127.0.0.1:{self.etcd_port}",
        ]
        status = subprocess.run(
            [*etcdctl, "endpoint", "status", "-w", "json"], check=True, capture_output=True
        )
        revision = yaml.safe_load(status.stdout)[0]["Status"]["header"]["revision"]
        subprocess.run([*etcdctl, "compact", str(revision)], check=True, capture_output=True)

    def _etcd_flags(self) -> list[str]:
        client = f"http://127.0.0.1:{self.etcd_port}"
        peer = f"http://127.0.0.1:{free_port()}"
        return [
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=error",
        ]

    def _server_flags(self) -> list[str]:
        return [
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--client-ca-file={self.pki.ca}",
            f"--tls-cert-file={self.pki.server_cert}",
            f"--tls-private-key-file={self.pki.server_key}",
            f"--service-account-key-file={self.pki.server_cert}",
            f"--service-account-signing-key-file={self.pki.server_key}",
            "--service-account-issuer=https://test.invalid",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=Node,RBAC",
            # Its controllers make the service accounts that this one waits for.
            "--disable-admission-plugins=ServiceAccount",
            *self.flags,
        ]

    def _run(self, program: str, flags: list[str]) -> subprocess.Popen[bytes]:
        # A test run that is killed must leave nothing behind.
        argv = ["setpriv", "--pdeathsig", "KILL", str(_program(self.programs, program)), *flags]
        with open(self.directory / f"{program}.log", "ab") as log:
            return subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        context = self.config.ssl_context()
        while time.monotonic() < deadline:
            for name, process in (("etcd", self._etcd), ("kube-apiserver", self._server)):
                if process is not None and process.poll() is not None:
                    tail = (self.directory / f"{name}.log").read_text()[-2000:]
                    raise RuntimeError(f"{name} ended with {process.returncode}:\n{tail}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", context=context, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise TimeoutError(f"kube-apiserver not ready after {_START_TIMEOUT:.0f} s")


@contextmanager
def running_apiserver(directory: Path, *flags: str) -> Iterator[ApiServer]:
    """An API server in that directory, stopped at the end.

    Raises MissingProgramError when the upstream programs are not there.
    """
    where = programs()
    for name in ("etcd", "kube-apiserver"):
        _program(where, name)
    server = ApiServer(
        directory=directory,
        port=free_port(),
        etcd_port=free_port(),
        pki=Pki.create(directory),
        programs=where,
        flags=flags,
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _program(directory: Path, name: str) -> Path:
    # `go build` names etcd after its package, "server".
    for candidate in (name, "server") if name == "etcd" else (name,):
        if found := shutil.which(candidate, path=str(directory)):
            return Path(found)
    raise MissingProgramError(f"no {name} in {directory}; name its directory in VKS_TEST_BIN")


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()
