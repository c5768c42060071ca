"""A local Verda within the test's process, and callers of it."""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from vks.local.cloud.app import Backends, open_database, recorded_backends, running
from vks.local.cloud.cloud import Cloud
from vks.local.cloud.records import RecordsBackend
from vks.local.cloud.seed import (
    Grant,
    Seed,
    SeedFlavor,
    SeedImage,
    SeedProject,
    SeedUser,
)

Json = dict[str, Any]

SEED = Seed(
    region="tokyo",
    zones={f"tokyo-{n}": [f"tokyo-{n}-hv1", f"tokyo-{n}-hv2"] for n in (1, 2, 3)},
    service_endpoints={"kubernetes": "http://127.0.0.1:7080/v1"},
    operator_token="operator",
    projects=[SeedProject(name="admin"), SeedProject(name="test"), SeedProject(name="other")],
    users=[
        SeedUser(name="admin", password="admin", roles=[Grant(role="admin", project="admin")]),
        SeedUser(name="demo", password="demo", roles=[Grant(role="member", project="test")]),
        SeedUser(name="guest", password="guest", roles=[Grant(role="reader", project="test")]),
        SeedUser(name="mallory", password="mallory", roles=[Grant(role="member", project="other")]),
        SeedUser(
            name="vks",
            password="vks",
            roles=[Grant(role="admin", domain="Default", inherited=True)],
        ),
    ],
    flavors=[SeedFlavor(name="small", vcpus=1, ram=2048)],
    images=[SeedImage(name="node", properties={"vks_kubernetes_version": "v1.36.3"})],
)


@dataclass
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class Caller:
    """Calls with one token. `ok` gives the body and asserts the status."""

    session: aiohttp.ClientSession
    url: str
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method, self.url + path, json=body, headers={**self.headers, **named}
        ) as response:
            text = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Answer(
                response.status,
                await response.json() if text and is_json else text,
                response.headers,
            )

    async def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = await self.call(method, path, body, **headers)
        assert answer.status < 300, answer
        return answer.body

    def at(self, minor: int) -> Caller:
        version = {"OpenStack-API-Version": f"compute 2.{minor}"}
        return Caller(self.session, self.url, {**self.headers, **version})


@dataclass
class Region:
    cloud: Cloud
    session: aiohttp.ClientSession
    url: str

    @property
    def servers(self) -> RecordsBackend:
        assert isinstance(self.cloud.servers, RecordsBackend)
        return self.cloud.servers

    @property
    def operator(self) -> Caller:
        return Caller(self.session, self.url, {"X-Operator-Token": "operator"})

    @property
    def anonymous(self) -> Caller:
        return Caller(self.session, self.url)

    async def login(self, user: str, project: str | None = "test") -> Caller:
        body = login_body(user, user, project)
        answer = await self.anonymous.call("POST", "/identity/v3/auth/tokens", body)
        assert answer.status == 201, answer
        token = answer.headers["X-Subject-Token"]
        return Caller(self.session, self.url, {"X-Auth-Token": token})

    async def settle(self) -> None:
        """All background work that is not held has been done."""
        await self.cloud.work.idle()


def login_body(user: str, password: str, project: str | None) -> Json:
    domain = {"id": "default"}
    identity = {
        "methods": ["password"],
        "password": {"user": {"name": user, "domain": domain, "password": password}},
    }
    auth: Json = {"identity": identity}
    if project is not None:
        auth["scope"] = {"project": {"name": project, "domain": domain}}
    return {"auth": auth}


@asynccontextmanager
async def run_region(
    database: Path | str = ":memory:", backends: Backends | None = None, seed: Seed = SEED
) -> AsyncIterator[Region]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    db = open_database(database)
    async with (
        running(db, seed, backends or recorded_backends(), listener) as cloud,
        aiohttp.ClientSession() as session,
    ):
        yield Region(cloud, session, url)
    db.close()


async def make_network(caller: Caller, **subnet: Any) -> tuple[str, str]:
    """(network id, subnet id); the range comes from the default pool unless given."""
    created = await caller.ok("POST", "/network/v2.0/networks", {"network": {"name": "net"}})
    network_id = created["network"]["id"]
    source = {} if "cidr" in subnet else {"use_default_subnetpool": True}
    body = {"network_id": network_id, "ip_version": 4, **source, **subnet}
    made = await caller.ok("POST", "/network/v2.0/subnets", {"subnet": body})
    return network_id, made["subnet"]["id"]


async def make_port(caller: Caller, network_id: str, **more: Any) -> Json:
    body = {"port": {"network_id": network_id, **more}}
    port: Json = (await caller.ok("POST", "/network/v2.0/ports", body))["port"]
    return port


async def ask_server(
    caller: Caller, networks: Any, hints: Json | None = None, **more: Any
) -> Answer:
    flavors = await caller.ok("GET", "/compute/v2.1/flavors")
    images = await caller.ok("GET", "/image/v2/images")
    server = {
        "name": "s",
        "flavorRef": flavors["flavors"][0]["id"],
        "imageRef": images["images"][0]["id"],
        "networks": networks,
        "user_data": base64.b64encode(b"#cloud-config").decode(),
        **more,
    }
    body: Json = {"server": server}
    if hints:
        body["os:scheduler_hints"] = hints
    return await caller.at(90).call("POST", "/compute/v2.1/servers", body)


async def make_server(caller: Caller, networks: Any, **more: Any) -> str:
    answer = await ask_server(caller, networks, **more)
    assert answer.status == 202, answer
    server_id: str = answer.body["server"]["id"]
    return server_id


async def show_server(caller: Caller, server_id: str) -> Json:
    found = await caller.at(90).ok("GET", f"/compute/v2.1/servers/{server_id}")
    server: Json = found["server"]
    return server
