"""A cloud for the whole run, core's own controllers, and a project for each test."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.apiserver.provider.region import Faults, Region, install_crds, provider
from tests.cloud.clouds_local import run_local
from tests.support.apiserver import ApiServer, free_port, programs
from tests.support.clouds import Cloud as CloudUnderTest

from vks.kube.client import Client


@pytest.fixture(scope="session")
def verda_cloud() -> Iterator[CloudUnderTest]:
    with run_local() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def collector(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Garbage collection and the deletion of namespaces, as the management cluster has them."""
    home: Path = tmp_path_factory.mktemp("collector")
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_bytes(apiserver.kubeconfig)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "setpriv",
                "--pdeathsig",
                "KILL",
                str(programs() / "kube-controller-manager"),
                f"--kubeconfig={kubeconfig}",
                "--controllers=garbage-collector-controller,namespace-controller",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                f"--secure-port={free_port()}",
            ],
            stdout=log,
            stderr=log,
        )
    yield
    process.kill()
    process.wait()


@pytest.fixture
def faults(verda_cloud: CloudUnderTest) -> Iterator[Faults]:
    faults = Faults(verda_cloud.auth_url)
    yield faults
    faults.clear()


@pytest.fixture
async def region(
    client: Client, namespace: str, verda_cloud: CloudUnderTest
) -> AsyncIterator[Region]:
    """A region without a running provider."""
    await install_crds(client)
    region = Region(client, namespace, verda_cloud, verda_cloud.new_project())
    yield region
    await region.verda.close()


@pytest.fixture
async def running(region: Region, client: Client, namespace: str) -> AsyncIterator[Region]:
    """The same with the provider running."""
    async with provider(client, namespace):
        yield region
