"""A cloud under test: the local Verda or real OpenStack, seen in the same way.

Tests speak raw HTTP through `Api`, so that status codes, headers and bodies can be compared,
or hand a `Credential` to whatever client they test.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import requests
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

Json = dict[str, Any]
T = TypeVar("T")

#: Seconds that an asynchronous step may take on a machine that is busy with other tests.
PATIENCE = 60.0


@dataclass(frozen=True)
class Credential:
    """A user in a project of the Default domain."""

    auth_url: str
    region: str
    username: str
    password: str
    project_id: str
    project_name: str
    user_id: str

    def plugin(self) -> v3.Password:
        return v3.Password(
            self.auth_url,
            user_id=self.user_id,
            password=self.password,
            project_id=self.project_id,
        )

    def clouds_yaml_entry(self) -> Json:
        """One entry of `clouds.yaml`; also keyword arguments of `openstack.connect`."""
        return {
            "auth_type": "password",
            "auth": {
                "auth_url": self.auth_url,
                "username": self.username,
                "password": self.password,
                "project_id": self.project_id,
                "user_domain_id": "default",
            },
            "region_name": self.region,
            "identity_api_version": "3",
        }

    def environment(self) -> dict[str, str]:
        """What the `openstack` command reads."""
        return {
            "OS_AUTH_URL": self.auth_url,
            "OS_USERNAME": self.username,
            "OS_PASSWORD": self.password,
            "OS_PROJECT_ID": self.project_id,
            "OS_USER_DOMAIN_ID": "default",
            "OS_REGION_NAME": self.region,
            "OS_IDENTITY_API_VERSION": "3",
        }


@dataclass(frozen=True)
class Service:
    """One service of the catalog for one caller. Paths are below the catalog's endpoint."""

    session: Session
    service_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    base: str = ""  # instead of the catalog's endpoint

    def at(self, version: str) -> Self:
        """The same with a microversion, which is sent and not negotiated by the client."""
        return type(self)(
            self.session,
            self.service_type,
            {"OpenStack-API-Version": f"compute {version}"},
            self.base,
        )

    def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        more = {} if body is None else {"json": body}
        response: requests.Response = self.session.request(
            self.base + path,
            method,
            raise_exc=False,
            endpoint_filter={"service_type": self.service_type},
            headers={"Accept": "application/json", **self.headers, **(headers or {})},
            **more,
        )
        return response

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.call("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.call("PUT", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.call("PATCH", path, body, **more)

    def delete(self, path: str, **more: Any) -> requests.Response:
        return self.call("DELETE", path, **more)


@dataclass(frozen=True)
class Api:
    """Every service of the cloud with one credential."""

    credential: Credential
    session: Session

    @classmethod
    def of(cls, credential: Credential) -> Self:
        return cls(credential, Session(credential.plugin()))

    def service(self, service_type: str) -> Service:
        return Service(self.session, service_type)

    @property
    def identity(self) -> Service:
        """Below `/v3`, which some catalogs name and others leave to discovery."""
        return Service(self.session, "identity", base=self.credential.auth_url)

    @property
    def compute(self) -> Service:
        return self.service("compute")

    @property
    def network(self) -> Service:
        return self.service("network")

    @property
    def image(self) -> Service:
        return self.service("image")


@dataclass(frozen=True)
class Project:
    """A project with a user for each role that a team's people have."""

    id: str
    name: str
    member: Api
    reader: Api


@dataclass
class Cloud:
    """A running cloud and its facts."""

    kind: str  # "local" or "openstack"
    auth_url: str
    region: str
    zones: tuple[str, ...]
    flavors: tuple[str, ...]  # names; the first one is the smallest
    image: str
    admin: Api
    _users: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    _roles: dict[str, str] = field(default_factory=dict)

    def new_project(self) -> Project:
        """A project of its own, with a member and a reader (all projects share the users)."""
        name = unique("project")
        created = ok(self.admin.identity.post("/projects", {"project": {"name": name}}), 201)
        project_id = created["project"]["id"]
        return Project(
            id=project_id,
            name=name,
            member=self._join("member", project_id, name),
            reader=self._join("reader", project_id, name),
        )

    def _join(self, role: str, project_id: str, project_name: str) -> Api:
        """Give the role's user that role on the project."""
        identity = self.admin.identity
        if not self._roles:
            roles = ok(identity.get("/roles"))["roles"]
            self._roles = {found["name"]: found["id"] for found in roles}
        if role not in self._users:
            name, password = unique(role), secrets.token_urlsafe(12)
            body = {"user": {"name": name, "password": password}}
            user_id = ok(identity.post("/users", body), 201)["user"]["id"]
            self._users[role] = (user_id, name, password)
        user_id, name, password = self._users[role]
        grant = f"/projects/{project_id}/users/{user_id}/roles/{self._roles[role]}"
        ok(identity.put(grant), 204)
        return Api.of(
            Credential(
                self.auth_url, self.region, name, password, project_id, project_name, user_id
            )
        )


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{secrets.token_hex(4)}"


def ok(response: requests.Response, status: int = 200) -> Json:
    """The body of an answer that must have this status."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:800]}"
    return response.json() if response.content else {}


def error(response: requests.Response, status: int) -> Json:
    """The error in Nova's, Neutron's or Keystone's envelope."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:800]}"
    envelope: Json
    (envelope,) = response.json().values()
    return envelope


def eventually(observe: Callable[[], T], done: Callable[[T], bool]) -> T:
    """Poll until the observation satisfies `done`; the last one is in the failure's message."""
    deadline = time.monotonic() + PATIENCE
    while not done(seen := observe()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {seen}"
        time.sleep(0.2)
    return seen
