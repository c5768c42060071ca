"""How often an API server that is coming up is asked, and what for. Time is virtual."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from tests.support import virtual

from vks.kube.config import KubeconfigError
from vks.kube.errors import NotFound, Unavailable
from vks.kube.objects import Key
from vks.provider.cloudcontroller.probing import PROBE, PROBE_PATIENT, Probes, pause
from vks.resources.core import Secret
from vks.runtime.clock import SystemClock

CLUSTER = Key("p-test", "demo")


class ApiServer:
    """The workload cluster's: answers from a moment on. Also the client of it."""

    def __init__(self, up_at: float = 0.0) -> None:
        self.up_at = up_at
        self.asked: list[float] = []
        self.closed = False

    async def raw(self, method: str, path: str) -> bytes:
        assert (method, path) == ("GET", "/readyz/ping")
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        if now < self.up_at:
            raise Unavailable("connection refused")
        return b"ok"

    async def close(self) -> None:
        self.closed = True


class Management:
    """Holds the kubeconfig, or none."""

    def __init__(self, kubeconfig: bytes | None) -> None:
        self.kubeconfig = kubeconfig
        self.reads = 0

    async def get(self, _: type[Secret], name: str, namespace: str) -> Secret:
        assert (namespace, name) == ("p-test", "demo-kubeconfig")
        self.reads += 1
        if self.kubeconfig is None:
            raise NotFound("no such Secret")
        return Secret(data={"value": base64.b64encode(self.kubeconfig).decode()})


class Setup:
    """`connected` are the kubeconfigs for which a client was made."""

    def __init__(self, apiserver: ApiServer, kubeconfig: bytes | None = b"first") -> None:
        self.apiserver = apiserver
        self.management = Management(kubeconfig)
        self.connected: list[bytes] = []
        client: Any = self.management
        self.probes = Probes(client, self._connect, SystemClock())

    def _connect(self, kubeconfig: bytes) -> Any:
        if kubeconfig == b"broken":
            raise KubeconfigError("not a mapping")
        self.connected.append(kubeconfig)
        self.apiserver.closed = False
        return self.apiserver

    async def until_up(self, *, served: bool) -> float:
        """How long after the API server came up it was found out, in seconds."""
        while True:
            if await self.probes.attempt(CLUSTER, served=served) is not None:
                return asyncio.get_running_loop().time() - self.apiserver.up_at
            await asyncio.sleep(self.probes.pause(CLUSTER))


def test_an_api_server_whose_server_runs_is_found_within_half_a_second_or_a_fiftieth() -> None:
    for up_at, late in ((3.1, PROBE), (16.2, PROBE), (60.3, 60.3 / 50), (900.0, PROBE_PATIENT)):
        setup = Setup(ApiServer(up_at))
        assert virtual.run(setup.until_up(served=True)) <= late


def test_one_of_which_nothing_is_known_is_asked_a_handful_of_times() -> None:
    setup = Setup(ApiServer(60.0))
    assert virtual.run(setup.until_up(served=False)) <= PROBE_PATIENT
    assert len(setup.apiserver.asked) < 12


def test_a_server_that_begins_to_run_is_waited_for_from_then_on() -> None:
    setup = Setup(ApiServer(1e9))

    async def main() -> list[float]:
        pauses = []
        for served in (False, True):
            await setup.probes.attempt(CLUSTER, served=served)
            await asyncio.sleep(100.0)
            await setup.probes.attempt(CLUSTER, served=served)
            pauses.append(setup.probes.pause(CLUSTER))
        await setup.probes.attempt(CLUSTER, served=True)
        return pauses

    assert virtual.run(main()) == [pause(100.0, served=False), pause(100.0, served=True)]


def test_attempts_share_credentials_and_the_connection_that_answers_is_handed_on() -> None:
    setup = Setup(ApiServer(8.0))

    async def main() -> Any:
        await setup.until_up(served=True)
        setup.apiserver.up_at = 0.0
        return await setup.probes.attempt(CLUSTER, served=True)

    assert virtual.run(main()) == (b"first", setup.apiserver)
    assert not setup.apiserver.closed
    # Once for the attempts that ended with the first answer, once for what began after it.
    assert setup.connected == [b"first", b"first"]
    assert setup.management.reads == 2
    assert len(setup.apiserver.asked) > 10


def test_a_kubeconfig_that_changes_meanwhile_is_used() -> None:
    setup = Setup(ApiServer(1e9))

    async def main() -> None:
        await setup.probes.attempt(CLUSTER, served=True)
        setup.management.kubeconfig = b"second"
        await asyncio.sleep(11.0)
        await setup.probes.attempt(CLUSTER, served=True)
        await setup.probes.forget(CLUSTER)

    virtual.run(main())
    assert setup.connected == [b"first", b"second"]
    assert setup.apiserver.closed


def test_a_kubeconfig_that_is_missing_or_broken_is_looked_for_again() -> None:
    setup = Setup(ApiServer(), kubeconfig=None)

    async def main() -> Any:
        assert await setup.probes.attempt(CLUSTER, served=False) is None
        setup.management.kubeconfig = b"broken"
        for _ in range(2):
            with pytest.raises(KubeconfigError):
                await setup.probes.attempt(CLUSTER, served=False)
        setup.management.kubeconfig = b"mended"
        return await setup.probes.attempt(CLUSTER, served=False)

    assert virtual.run(main()) == (b"mended", setup.apiserver)
