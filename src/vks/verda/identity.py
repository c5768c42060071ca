"""Keystone: who a token belongs to, and which projects exist."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import requests
from keystoneauth1 import access as ksa_access
from keystoneauth1.identity.access import AccessInfoPlugin

from vks.verda.errors import NotFound, Unauthorized, Unavailable, error_from
from vks.verda.transport import CONNECT_TIMEOUT, READ_TIMEOUT, Service, Transport

IDENTITY = Service("identity", version="v3")


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What Keystone says about a token. Without a project the token is unscoped."""

    user_id: str
    user_name: str
    project_id: str | None
    project_name: str | None
    roles: tuple[str, ...]
    expires_at: str  # RFC 3339


class Project(msgspec.Struct, frozen=True):
    id: str
    name: str
    domain_id: str = ""
    enabled: bool = True


class IdentityClient:
    """Every method raises CloudError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def token_info(self) -> TokenInfo:
        """Who the credential of this client is."""
        return token_info(await self._transport.authenticate())

    async def projects(self) -> list[Project]:
        """The projects that the calling user may scope to."""
        return await self._transport.list(IDENTITY, "/auth/projects", "projects", Project)

    async def project(self, project_id: str) -> Project | None:
        try:
            return await self._transport.get(
                IDENTITY, f"/projects/{project_id}", "project", Project
            )
        except NotFound:
            return None


def token_info(access: Any) -> TokenInfo:
    """The facts of a keystoneauth AccessInfo."""
    return TokenInfo(
        user_id=access.user_id,
        user_name=access.username,
        project_id=access.project_id,
        project_name=access.project_name,
        roles=tuple(access.role_names or ()),
        expires_at=access.expires.isoformat().replace("+00:00", "Z"),
    )


async def validate_token(
    auth_url: str, token: str, pool: ThreadPoolExecutor, *, verify: bool | str = True
) -> AccessInfoPlugin:
    """A plugin that acts with an existing token as it is, after Keystone has vouched for it.

    A token may always ask about itself, so no service credential is needed. Raises Unauthorized
    for a token that is unknown, expired or revoked.
    """
    call = asyncio.get_running_loop().run_in_executor(pool, _validate, auth_url, token, verify)
    return AccessInfoPlugin(await call, auth_url)


def _validate(auth_url: str, token: str, verify: bool | str) -> Any:
    base = auth_url.rstrip("/")
    url = (base if base.endswith("/v3") else f"{base}/v3") + "/auth/tokens"
    if not token.isascii() or not token.isprintable():
        raise Unauthorized("the token is malformed", status=401)
    headers = {"X-Auth-Token": token, "X-Subject-Token": token, "Accept": "application/json"}
    try:
        response = requests.get(
            url, headers=headers, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), verify=verify
        )
    except requests.RequestException as error:
        raise Unavailable(f"no answer from the cloud: {error}") from None
    if response.status_code == 404:  # Keystone's word for a subject token that it does not know
        raise Unauthorized("the token is not valid", status=404)
    if response.status_code >= 400:
        raise error_from(response.status_code, response.content)
    try:
        return ksa_access.create(resp=response, auth_token=token)
    except ValueError as error:
        raise Unavailable(f"unreadable answer from the cloud: {error}") from None
