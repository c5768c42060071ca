"""`vks-hollow` alone: no region around it, user data as Cluster API writes it."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from tests.support.eventually import eventually
from tests.support.kubeadmcluster import TOKEN, ca_hash

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.local.assets import ensure_hollow
from vks.local.fabric import Port
from vks.local.instance import Instance
from vks.local.platform.pki import Authority
from vks.local.progress import SilentProgress
from vks.local.servers import Flavor, ServerSpec
from vks.local.servers.hollow.backend import HollowBackend
from vks.local.servers.hollow.client import SOCKET, HollowClient

VIP = "127.77.1.2"
VERSION = "v1.36.3"
PKI = "/etc/kubernetes/pki/"
EXTERNAL = [{"name": "cloud-provider", "value": "external"}]


@dataclass
class Hollow:
    """The program, and a cluster's certificate authorities."""

    program: Path
    home: Path
    ca: Authority
    etcd_ca: Authority
    port: int
    flags: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    numbers: dict[str, int] = field(default_factory=dict)

    async def start(self) -> None:
        flags = (f"--home={self.home}", "--node-delay=50ms", *self.flags)
        command: list[str | Path] = [self.program, *flags]
        self.process = subprocess.Popen(command)  # noqa: ASYNC220 - does not wait for it
        await eventually(self._accepts)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @property
    def journal(self) -> str:
        return (self.home / "hollow.journal").read_text()

    def spec(self, name: str, user_data: bytes) -> ServerSpec:
        number = self.numbers.setdefault(name, len(self.numbers) + 1)
        port = Port(f"port-{name}", "net", f"02::{number}", f"10.128.0.{number}", 20, None)
        flavor = Flavor("small", 1, 2048)
        return ServerSpec(
            name, name, name, "image", flavor, "a", "p", ports=(port,), user_data=user_data
        )

    def init(self, name: str) -> ServerSpec:
        cluster = {
            "kind": "ClusterConfiguration",
            "controlPlaneEndpoint": f"{VIP}:{self.port}",
            "networking": {"podSubnet": "10.244.0.0/16"},
        }
        init = {"kind": "InitConfiguration", "nodeRegistration": {"name": name}}
        text = yaml.safe_dump_all([cluster, init], explicit_start=True)
        files = {**self._pki(), "/run/kubeadm/kubeadm.yaml": text}
        return self.spec(name, cloud_config(files, "kubeadm init"))

    def join(self, name: str, *, control_plane: bool = False, token: str = TOKEN) -> ServerSpec:
        registration = {"name": name, "kubeletExtraArgs": EXTERNAL}
        discovery = {
            "apiServerEndpoint": f"{VIP}:{self.port}",
            "token": token,
            "caCertHashes": [ca_hash(self.ca.pair.certificate)],
        }
        configuration = {
            "kind": "JoinConfiguration",
            "discovery": {"bootstrapToken": discovery},
            "nodeRegistration": registration,
            **({"controlPlane": {}} if control_plane else {}),
        }
        files = {"/run/kubeadm/kubeadm-join-config.yaml": yaml.safe_dump(configuration)}
        files |= self._pki() if control_plane else {}
        return self.spec(name, cloud_config(files, "kubeadm join"))

    def config(self) -> ClientConfig:
        admin = self.ca.client("admin", "admin", ("system:masters",))
        return ClientConfig(
            server=f"https://{VIP}:{self.port}",
            ca_data=self.ca.pair.certificate.read_bytes(),
            client_cert_data=admin.certificate.read_bytes(),
            client_key_data=admin.key.read_bytes(),
        )

    def _pki(self) -> dict[str, str]:
        return {
            f"{PKI}ca.crt": self.ca.pair.certificate.read_text(),
            f"{PKI}ca.key": self.ca.pair.key.read_text(),
            f"{PKI}etcd/ca.crt": self.etcd_ca.pair.certificate.read_text(),
            f"{PKI}etcd/ca.key": self.etcd_ca.pair.key.read_text(),
        }

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.home / SOCKET)) == 0


def cloud_config(files: dict[str, str], command: str) -> bytes:
    config = {
        "write_files": [{"path": path, "content": text} for path, text in files.items()],
        "runcmd": [command],
    }
    return f"#cloud-config\n{yaml.safe_dump(config)}".encode()


@pytest.fixture(scope="session")
def program() -> Path:
    return ensure_hollow(Instance.named("any").cache, SilentProgress())


@pytest.fixture
async def hollow(program: Path) -> AsyncIterator[Hollow]:
    with tempfile.TemporaryDirectory(prefix="vks-") as home:
        with socket.socket() as probe:
            probe.bind((VIP, 0))
            port = probe.getsockname()[1]
        directory = Path(home)
        made = Hollow(
            program, directory, Authority(directory / "ca"), Authority(directory / "etcd"), port
        )
        await made.start()
        yield made
        made.kill()


@pytest.fixture
async def calls(hollow: Hollow) -> AsyncIterator[HollowClient]:
    client = HollowClient(hollow.home)
    yield client
    await client.close()


@pytest.fixture
def servers(calls: HollowClient) -> HollowBackend:
    return HollowBackend(calls, lambda _: VERSION)


@pytest.fixture
async def api(hollow: Hollow) -> AsyncIterator[Client]:
    async with Client(hollow.config(), timeout=5.0) as client:
        yield client
