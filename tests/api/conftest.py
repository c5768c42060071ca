"""A REST API on a real API server, listening: schemathesis calls it from threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.service import TokenTable, controllers, install_crds, region_config, until

from vks.kube.client import Client
from vks.service.api.app import create_app
from vks.service.api.context import Services
from vks.service.api.regions import Region
from vks.service.config import Config

PROJECT = "fuzz"


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        yield server


class _Server(threading.Thread):
    """The service's loop in a thread of its own."""

    def __init__(self, apiserver: ApiServer) -> None:
        super().__init__(daemon=True)
        self._apiserver = apiserver
        self.ready = threading.Event()
        self.server: uvicorn.Server | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ready.set()

    async def _serve(self) -> None:
        identity = TokenTable()
        identity.add("member", PROJECT, "member")
        config = Config(regions=(region_config(),))
        async with Client(self._apiserver.config) as client:
            await install_crds(client)
            app = create_app(Services(config, (Region(config.regions[0], client),), identity))
            self.server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
            async with controllers(client), asyncio.TaskGroup() as tasks:
                tasks.create_task(self.server.serve())
                await until(self._listening)
                self.ready.set()

    async def _listening(self) -> bool:
        return self.server is not None and self.server.started

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"


@pytest.fixture(scope="session")
def api_url(apiserver: ApiServer) -> Iterator[str]:
    server = _Server(apiserver)
    server.start()
    assert server.ready.wait(60)
    assert server.error is None
    yield server.url
    assert server.server is not None
    server.server.should_exit = True
    server.join(30)
