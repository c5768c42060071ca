"""From the `auth` part of a token request to a user and a scope."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import micros
from vks.local.cloud.http.call import Json
from vks.local.cloud.http.errors import bad_request, unauthorized
from vks.local.cloud.identity.errors import validate
from vks.local.cloud.identity.secrets import hash_secret, verify_secret
from vks.local.cloud.identity.tables import (
    APPLICATION_CREDENTIALS,
    DOMAINS,
    PROJECTS,
    USERS,
    ApplicationCredential,
    User,
)
from vks.local.cloud.identity.tokens import Scope, judge

_NAMED: Json = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "domain": {
            "type": "object",
            "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
        },
    },
}
_USER: Json = {**_NAMED, "properties": {**_NAMED["properties"], "password": {"type": "string"}}}
SCHEMA: Json = {
    "type": "object",
    "required": ["auth"],
    "properties": {
        "auth": {
            "type": "object",
            "required": ["identity"],
            "properties": {
                "identity": {
                    "type": "object",
                    "required": ["methods"],
                    "properties": {
                        "methods": {"type": "array", "items": {"type": "string"}},
                        "password": {"type": "object", "properties": {"user": _USER}},
                        "token": {
                            "type": "object",
                            "required": ["id"],
                            "properties": {"id": {"type": "string"}},
                        },
                        "application_credential": {
                            "type": "object",
                            "required": ["secret"],
                            "properties": {
                                "id": {"type": "string"},
                                "name": {"type": "string"},
                                "secret": {"type": "string"},
                                "user": _USER,
                            },
                        },
                    },
                },
                "scope": {
                    "type": ["object", "string"],
                    "properties": {"project": _NAMED, "domain": _NAMED},
                },
            },
        }
    },
}


@dataclass(frozen=True)
class Login:
    """Who proved to be whom, and how."""

    user: User
    methods: list[str]
    credential: ApplicationCredential | None = None
    not_after: str | None = None


async def identify(db: Database, body: Any) -> Login:
    """Raises ApiError 400 for a malformed request and 401 whenever the proof fails."""
    validate(SCHEMA, body)
    identity = body["auth"]["identity"]
    for method in identity["methods"]:
        if method not in ("password", "token", "application_credential"):
            raise unauthorized()
        if method not in identity:
            raise bad_request(f"Expecting to find {method} in identity.")
    if identity["methods"] == ["password"]:
        return await _by_password(db, identity["password"].get("user", {}))
    if identity["methods"] == ["token"]:
        return _by_token(db, identity["token"]["id"])
    if identity["methods"] == ["application_credential"]:
        return await _by_credential(db, identity["application_credential"])
    raise unauthorized()


def scope_of(db: Database, login: Login, requested: Any) -> Scope:
    """The scope asked for; the default project's, or none, where nothing was asked."""
    if login.credential:
        if requested is not None:
            raise unauthorized()
        return Scope(project_id=login.credential.project_id)
    if requested == "unscoped":
        return Scope()
    if requested is None:
        default = login.user.default_project_id
        return Scope(project_id=default) if default else Scope()
    if isinstance(requested, dict) and "project" in requested:
        return Scope(project_id=_project(db, requested["project"]))
    if isinstance(requested, dict) and "domain" in requested:
        return Scope(domain_id=_domain(db, requested["domain"]))
    raise unauthorized()


async def _by_password(db: Database, given: Json) -> Login:
    if "password" not in given:
        raise bad_request("Expecting to find password in user.")
    user = _user(db, given)
    if user is None:
        await asyncio.to_thread(hash_secret, "")  # as slow as a wrong password: no user oracle
        raise unauthorized()
    if not await asyncio.to_thread(verify_secret, given["password"], user.password_hash):
        raise unauthorized()
    return Login(user, ["password"])


def _by_token(db: Database, secret: str) -> Login:
    grant = judge(db, secret)
    if grant is None or grant.credential is not None:
        raise unauthorized()
    methods = [*grant.token.methods, *(() if "token" in grant.token.methods else ("token",))]
    return Login(grant.user, methods, not_after=grant.token.expires_at)


async def _by_credential(db: Database, given: Json) -> Login:
    credential = None
    if "id" in given:
        credential = APPLICATION_CREDENTIALS.get(db, id=given["id"])
    elif "name" in given and "user" in given:
        owner = _user(db, given["user"])
        if owner is not None:
            credential = APPLICATION_CREDENTIALS.get(db, user_id=owner.id, name=given["name"])
    user = USERS.get(db, id=credential.user_id) if credential else None
    if credential is None or user is None:
        raise unauthorized()
    if credential.expires_at and credential.expires_at <= micros():
        raise unauthorized()
    if not await asyncio.to_thread(verify_secret, given["secret"], credential.secret_hash):
        raise unauthorized()
    return Login(user, ["application_credential"], credential)


def _user(db: Database, given: Json) -> User | None:
    if "id" in given:
        found = USERS.get(db, id=given["id"])
    elif "name" in given and "domain" in given:
        found = USERS.get(db, name=given["name"], domain_id=_domain(db, given["domain"]))
    else:
        raise bad_request("Expecting to find domain in user.")
    return found if found and found.enabled else None


def _domain(db: Database, given: Json) -> str:
    found = (
        DOMAINS.get(db, id=given["id"])
        if "id" in given
        else DOMAINS.get(db, name=given.get("name", ""))
    )
    if found is None or not found.enabled:
        raise unauthorized()
    return found.id


def _project(db: Database, given: Json) -> str:
    if "id" in given:
        return str(given["id"])
    if "domain" not in given:
        raise bad_request("Expecting to find domain in project.")
    found = PROJECTS.get(db, name=given.get("name", ""), domain_id=_domain(db, given["domain"]))
    if found is None:
        raise unauthorized()
    return found.id
