"""One real API server for the whole run, and a client and namespace for each test.

A callback that blocks the event loop fails the test; the time for which the machine had no
processor for us does not count. (asyncio's debug mode would find it as well, and make everything
several times slower.)
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.apiserver import ApiServer, running_apiserver

from vks.kube.client import Client
from vks.kube.objects import Resource

NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
_numbers = itertools.count()
#: Seconds. Far above what a reconcile needs, and above what it waits, beside another lane of the
#: suite, for a thread that has the interpreter and no processor: that looks like blocking.
SLOW_CALLBACK = 1.0


def pytest_collection_finish() -> None:
    """What is there before the first test stays: no collection needs to look at it again."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Controllers and clients end in cycles. Those of a hundred tests, collected in the middle of
    another one, would block its event loop for two seconds."""
    yield
    gc.collect()


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    blocking: list[str] = []
    run = asyncio.Handle._run

    def own_time() -> float:
        """Seconds, without those in which the thread was ready to run and did not (proc(5))."""
        waited = int(os.pread(schedstat.fileno(), 100, 0).split()[1]) / 1e9
        return time.monotonic() - waited

    def timed(handle: asyncio.Handle) -> None:
        began = own_time()
        run(handle)
        took = own_time() - began
        if took > SLOW_CALLBACK:
            who = getattr(
                getattr(handle, "_callback", None), "__self__", handle
            )  # a task that made a step
            blocking.append(f"{who} took {took:.1f} s")

    with (
        Path("/proc/thread-self/schedstat").open("rb") as schedstat,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(asyncio.Handle, "_run", timed)
        yield
    assert blocking == []
