"""What a route gets: the regions, the caller, and the conditions of the request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Query
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.requests import Request

from vks.kube.objects import KubeObject
from vks.service.api.auth import Caller, Identity
from vks.service.api.problems import Problem
from vks.service.api.regions import Region
from vks.service.config import Config


@dataclass(frozen=True)
class Services:
    """Everything that lives as long as the process."""

    config: Config
    regions: tuple[Region, ...]
    identity: Identity


_TOKEN = APIKeyHeader(name="X-Auth-Token", auto_error=False, description="A Keystone token.")
_BEARER = HTTPBearer(auto_error=False, description="The same, as a bearer token.")


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


async def authenticated(
    request: Request,
    token: Annotated[str | None, Depends(_TOKEN)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Caller:
    given = token or (bearer.credentials if bearer else None)
    if not given:
        raise Problem(
            "unauthenticated", "a token is needed", headers={"WWW-Authenticate": "Bearer"}
        )
    caller = await services(request).identity.authenticate(given)
    request.scope["vks.caller"] = caller
    if not caller.may_read:
        raise Problem("forbidden", "the token has no role in the project that VKS knows")
    if request.method not in ("GET", "HEAD") and not caller.may_write:
        raise Problem("forbidden", "the role reader does not allow changes")
    return caller


@dataclass(frozen=True)
class Scope:
    """A caller inside the project of the path."""

    caller: Caller
    regions: Sequence[Region]
    config: Config

    @property
    def project(self) -> str:
        return self.caller.project_name

    @property
    def is_operator(self) -> bool:
        return bool(self.caller.roles & {*self.config.operator_roles})

    def region(self, name: str) -> Region | None:
        return next((region for region in self.regions if region.name == name), None)


async def scope(
    request: Request,
    project: Annotated[str, Path(min_length=1, max_length=255)],
    caller: Annotated[Caller, Depends(authenticated)],
) -> Scope:
    """A project that is not the token's does not exist for it."""
    if project not in (caller.project_name, caller.project_id):
        raise Problem("not_found", f"there is no project {project!r}")
    found = services(request)
    return Scope(caller, visible(found, caller), found.config)


def visible(found: Services, caller: Caller) -> list[Region]:
    return [region for region in found.regions if region.name in caller.clouds]


def etag(obj: KubeObject) -> str:
    return f'"{obj.metadata.resource_version}"'


def check_match(if_match: str | None, obj: KubeObject) -> None:
    """Raises Problem when the object is no longer the one that the client has read."""
    if if_match is None or if_match.strip() == "*":
        return
    if etag(obj) not in (tag.strip().removeprefix("W/") for tag in if_match.split(",")):
        raise Problem("precondition_failed", "the object changed since it was read")


CallerIn = Annotated[Caller, Depends(authenticated)]
ScopeIn = Annotated[Scope, Depends(scope)]
ServicesIn = Annotated[Services, Depends(services)]
Limit = Annotated[int, Query(ge=1, le=500)]
Continue = Annotated[str | None, Query(alias="continue", max_length=4096)]
IfMatch = Annotated[str | None, Header(max_length=256)]
IdempotencyKey = Annotated[str | None, Header(max_length=128, pattern=r"^[\x21-\x7e]+$")]
Name = Annotated[str, Path(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
