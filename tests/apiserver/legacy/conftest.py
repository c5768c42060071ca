"""A cloud for the whole run; a project, a datacenter and a legacy server for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.apiserver.legacy.region import Legacy
from tests.apiserver.provider.region import Faults, Region, install_crds
from tests.cloud.clouds_local import run_local
from tests.support.apiserver import ApiServer
from tests.support.clouds import Cloud as CloudUnderTest

from vks.kube.client import Client


@pytest.fixture(scope="session")
def verda_cloud() -> Iterator[CloudUnderTest]:
    with run_local() as cloud:
        yield cloud


@pytest.fixture
def faults(verda_cloud: CloudUnderTest) -> Iterator[Faults]:
    faults = Faults(verda_cloud.auth_url)
    yield faults
    faults.clear()


@pytest.fixture
async def legacy(
    client: Client, namespace: str, verda_cloud: CloudUnderTest, apiserver: ApiServer
) -> AsyncIterator[Legacy]:
    """Servers boot; the legacy server does not run yet."""
    await install_crds(client)
    region = Region(client, namespace, verda_cloud, verda_cloud.new_project())
    legacy = Legacy(region, apiserver.pki)
    datacenter = asyncio.create_task(legacy.datacenter.run())
    yield legacy
    datacenter.cancel()
    await asyncio.gather(datacenter, return_exceptions=True)
    await region.verda.close()
