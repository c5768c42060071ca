"""The CRDs once, and a project of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.support.apiserver import ApiServer
from tests.support.service import TokenTable, controllers, install_crds, rest_api, until

from vks.kube.client import Client

_numbers = itertools.count()


@pytest.fixture(scope="session")
async def with_crds(apiserver: ApiServer) -> None:
    async with Client(apiserver.config) as client:
        await install_crds(client)


@dataclass
class Vks:
    """The API as a member of a project sees it, and the API server behind it."""

    api: httpx.AsyncClient
    client: Client
    identity: TokenTable
    project: str

    @property
    def namespace(self) -> str:
        return f"p-{self.project}"

    @property
    def base(self) -> str:
        return f"/v1/projects/{self.project}"

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        given = {"x-auth-token": "member"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return await self.api.request(method, self.base + path, json=body, headers=given)


@pytest.fixture
async def vks(with_crds: None, client: Client) -> AsyncIterator[Vks]:
    project = f"proj{next(_numbers)}"
    identity = TokenTable()
    identity.add("member", project, "member", "reader")
    identity.add("reader", project, "reader")
    identity.add("stranger", f"{project}-other", "member")
    identity.add("nobody", project, "heat_stack_user")
    async with rest_api(client, identity) as api, controllers(client):
        yield Vks(api, client, identity, project)


__all__ = ["Vks", "until"]
