"""The local Verda as a cloud under test: the real process, with nothing behind its servers."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from tests.support.clouds import Api, Cloud, Credential
from tests.support.openstack.layout import ADMIN_PASSWORD, REGION, ZONES, allocate_ports
from tests.support.openstack.render import compute_hosts
from tests.support.openstack.seed import FLAVORS, IMAGE


@contextmanager
def run_local() -> Iterator[Cloud]:
    """The same region as the real stack's: zones with one host each, flavors, image, pool."""
    with tempfile.TemporaryDirectory(prefix="vks-cloud-") as directory:
        home = Path(directory)
        port = allocate_ports(("cloud",))["cloud"]
        seed = home / "seed.yaml"
        seed.touch(0o600)
        seed.write_text(json.dumps(_seed()))  # JSON is YAML
        log = home / "cloud.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "vks.local.cloud", f"--seed={seed}",
                 f"--database={home / 'cloud.db'}", f"--port={port}"],
                stdout=out, stderr=out,
            )  # fmt: skip
        try:
            auth_url = f"http://127.0.0.1:{port}/identity/v3"
            _wait(process, auth_url, log)
            yield _cloud(auth_url)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _seed() -> dict[str, object]:
    return {
        "region": REGION,
        "zones": {zone: [host] for zone, host in zip(ZONES, compute_hosts(), strict=True)},
        "back_end": "records",
        "projects": [{"name": "admin"}],
        "users": [
            {
                "name": "admin",
                "password": ADMIN_PASSWORD,
                "default_project": "admin",
                "roles": [{"role": "admin", "project": "admin"}],
            }
        ],
        "flavors": [
            {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}
            for name, (vcpus, ram, disk) in FLAVORS.items()
        ],
        "images": [{"name": IMAGE, "properties": {"vks_kubernetes_version": "v1.36.3"}}],
    }


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, f"the local cloud ended: {log.read_text()[-3000:]}"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, f"no answer: {log.read_text()[-3000:]}"
            time.sleep(0.1)


def _cloud(auth_url: str) -> Cloud:
    login = v3.Password(
        auth_url, username="admin", password=ADMIN_PASSWORD, project_name="admin",
        user_domain_id="default", project_domain_id="default",
    )  # fmt: skip
    access = login.get_access(Session())
    credential = Credential(
        auth_url, REGION, "admin", ADMIN_PASSWORD, access.project_id, "admin", access.user_id
    )
    return Cloud("local", auth_url, REGION, ZONES, tuple(FLAVORS), IMAGE, Api.of(credential))
