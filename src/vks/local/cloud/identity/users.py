"""Users."""

from __future__ import annotations

import asyncio
from typing import Any

from vks.local.cloud.core.ids import new_hex
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import unauthorized
from vks.local.cloud.http.router import Route
from vks.local.cloud.identity.errors import duplicate, envelope, forbid, missing, validate
from vks.local.cloud.identity.secrets import hash_secret, verify_secret
from vks.local.cloud.identity.tables import (
    APPLICATION_CREDENTIALS,
    ASSIGNMENTS,
    DOMAINS,
    USERS,
    User,
)
from vks.local.cloud.identity.tokens import revoke

_PROPERTIES: Json = {
    "name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"\S"},
    "password": {"type": ["string", "null"]},
    "enabled": {"type": "boolean"},
    "domain_id": {"type": "string"},
    "default_project_id": {"type": ["string", "null"]},
    "email": {"type": ["string", "null"]},
    "description": {"type": ["string", "null"]},
}
_CREATE = envelope("user", _PROPERTIES, ("name",))
_UPDATE = envelope("user", _PROPERTIES)
_PASSWORD = envelope(
    "user",
    {"password": {"type": "string"}, "original_password": {"type": "string"}},
    ("password", "original_password"),
)


def user_view(user: User) -> Json:
    view: Json = {
        "id": user.id,
        "name": user.name,
        "domain_id": user.domain_id,
        "enabled": user.enabled,
        "password_expires_at": None,
        "options": {},
        "links": {},
    }
    for optional in ("default_project_id", "email", "description"):
        if getattr(user, optional) is not None:
            view[optional] = getattr(user, optional)
    return view


def _user(call: Call) -> User:
    user = USERS.get(call.db, id=call.params["user_id"])
    if user is None:
        raise missing("user", call.params["user_id"])
    return user


def list_users(call: Call) -> Reply:
    where: dict[str, Any] = {
        key: call.query[key] for key in ("name", "domain_id") if key in call.query
    }
    if "enabled" in call.query:
        where["enabled"] = call.flag("enabled")
    found = [user_view(user) for user in USERS.find(call.db, **where)]
    return Reply(body={"users": found, "links": {}})


def show_user(call: Call) -> Reply:
    if call.params["user_id"] != call.caller.user_id and not call.caller.is_admin:
        raise forbid("identity:get_user")
    return Reply(body={"user": user_view(_user(call))})


async def create_user(call: Call) -> Reply:
    validate(_CREATE, call.body)
    given = call.body["user"]
    hashed = await asyncio.to_thread(hash_secret, given.get("password") or new_hex())
    domain_id = given.get("domain_id") or call.caller.domain_id
    with call.db.transaction():
        if DOMAINS.get(call.db, id=domain_id) is None:
            raise missing("domain", domain_id)
        if USERS.get(call.db, name=given["name"], domain_id=domain_id):
            raise duplicate("user", given["name"])
        user = User(
            id=new_hex(),
            name=given["name"],
            domain_id=domain_id,
            password_hash=hashed,
            enabled=given.get("enabled", True),
            default_project_id=given.get("default_project_id"),
            email=given.get("email"),
            description=given.get("description"),
        )
        USERS.insert(call.db, user)
    return Reply(201, {"user": user_view(user)})


async def update_user(call: Call) -> Reply:
    validate(_UPDATE, call.body)
    given = call.body["user"]
    settable = ("name", "enabled", "default_project_id", "email", "description")
    changes = {key: given[key] for key in settable if key in given}
    if given.get("password"):
        changes["password_hash"] = await asyncio.to_thread(hash_secret, given["password"])
    with call.db.transaction():
        user = _user(call)
        twin = USERS.get(call.db, name=changes.get("name", ""), domain_id=user.domain_id)
        if twin is not None and twin.id != user.id:
            raise duplicate("user", changes["name"])
        if "password_hash" in changes or changes.get("enabled") is False:
            revoke(call.db, user_id=user.id)
        user = USERS.update(call.db, user, **changes)
    return Reply(body={"user": user_view(user)})


async def change_password(call: Call) -> Reply:
    """The user's own way: needs the old password and no token."""
    validate(_PASSWORD, call.body)
    given = call.body["user"]
    user = USERS.get(call.db, id=call.params["user_id"])
    if user is None or not await asyncio.to_thread(
        verify_secret, given["original_password"], user.password_hash
    ):
        raise unauthorized()
    hashed = await asyncio.to_thread(hash_secret, given["password"])
    with call.db.transaction():
        USERS.update(call.db, user, password_hash=hashed)
        revoke(call.db, user_id=user.id)
    return Reply(204)


def delete_user(call: Call) -> Reply:
    user = _user(call)
    revoke(call.db, user_id=user.id)
    APPLICATION_CREDENTIALS.delete(call.db, user_id=user.id)
    ASSIGNMENTS.delete(call.db, user_id=user.id)
    USERS.delete(call.db, id=user.id)
    return Reply(204)


ROUTES = [
    Route("GET", "/v3/users", list_users, Access.ADMIN, "identity:list_users"),
    Route("POST", "/v3/users", create_user, Access.ADMIN, "identity:create_user"),
    Route("GET", "/v3/users/{user_id}", show_user, Access.TOKEN),
    Route("PATCH", "/v3/users/{user_id}", update_user, Access.ADMIN, "identity:update_user"),
    Route("POST", "/v3/users/{user_id}/password", change_password, Access.PUBLIC),
    Route("DELETE", "/v3/users/{user_id}", delete_user, Access.ADMIN, "identity:delete_user"),
]
