"""One real API server for the whole run, and a client and namespace for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.support.apiserver import ApiServer, running_apiserver

from vks.kube.client import Client
from vks.kube.objects import Resource

NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
_numbers = itertools.count()


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Shared by all tests: leave nothing in it that another one could trip over."""
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        yield server


@pytest.fixture
async def client(apiserver: ApiServer) -> AsyncIterator[Client]:
    async with Client(apiserver.config) as client:
        yield client


@pytest.fixture
async def namespace(client: Client) -> str:
    """An empty namespace of the test's own."""
    name = f"test-{next(_numbers)}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    return name
