"""A cloud for the whole run, a project and a region's objects for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.apiserver.provider.region import Faults, Region, install_crds, provider
from tests.cloud.clouds_local import run_local
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
