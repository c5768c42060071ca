"""Application credentials: a user's own, for one project, for programs."""

from __future__ import annotations

import asyncio
import secrets

from vks.local.cloud.core.ids import micros, new_hex, parse_time
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request
from vks.local.cloud.http.router import Route
from vks.local.cloud.identity.errors import duplicate, envelope, forbid, missing, validate
from vks.local.cloud.identity.secrets import hash_secret
from vks.local.cloud.identity.tables import (
    APPLICATION_CREDENTIALS,
    ROLES,
    ApplicationCredential,
)
from vks.local.cloud.identity.tokens import revoke

_CREATE = envelope(
    "application_credential",
    {
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "secret": {"type": ["string", "null"], "minLength": 1},
        "description": {"type": ["string", "null"]},
        "expires_at": {"type": ["string", "null"]},
        "unrestricted": {"type": ["boolean", "null"]},
        "roles": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
            },
        },
    },
    ("name",),
)


def _view(call: Call, credential: ApplicationCredential) -> Json:
    roles = [role for role in ROLES.find(call.db) if role.name in credential.roles]
    return {
        "id": credential.id,
        "name": credential.name,
        "description": credential.description,
        "project_id": credential.project_id,
        "user_id": credential.user_id,
        "expires_at": credential.expires_at,
        "unrestricted": credential.unrestricted,
        "system": None,
        "roles": [{"id": role.id, "name": role.name, "domain_id": None} for role in roles],
        "links": {},
    }


def _owner(call: Call, action: str, admin: bool) -> str:
    """The user of the path, if the caller may act for them."""
    user_id = call.params["user_id"]
    if user_id != call.caller.user_id and not (admin and call.caller.is_admin):
        raise forbid(f"identity:{action}_application_credential")
    return user_id


def _roles(call: Call, requested: list[Json] | None) -> list[str]:
    """The names of the roles asked for, which the caller must hold; all of theirs by default."""
    if not requested:
        return sorted(call.caller.roles)
    known = {role.id: role.name for role in ROLES.find(call.db)}
    names = []
    for role in requested:
        name = str(known.get(role["id"], role["id"]) if "id" in role else role.get("name", ""))
        if name not in known.values():
            raise missing("role", name)
        if name not in call.caller.roles:
            raise bad_request(
                "Invalid application credential: "
                f"Could not find role assignment with role: {name}, user or group: "
                f"{call.caller.user_id}, project, domain, or system: {call.caller.project_id}."
            )
        names.append(name)
    return names


def _expiry(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        expires = micros(parse_time(text))
    except ValueError as wrong:
        raise bad_request("Invalid input for field 'expires_at': not an ISO 8601 time.") from wrong
    if expires <= micros():
        raise bad_request("Application credential expiration is in the past.")
    return expires


async def create_credential(call: Call) -> Reply:
    user_id = _owner(call, "create", admin=False)
    if not call.caller.unrestricted:
        raise forbid(
            "Using method 'application_credential' is not allowed for managing additional "
            "application credentials"
        )
    validate(_CREATE, call.body)
    given = call.body["application_credential"]
    secret = given.get("secret") or secrets.token_urlsafe(64)
    hashed = await asyncio.to_thread(hash_secret, secret)
    with call.db.transaction():
        if APPLICATION_CREDENTIALS.get(call.db, user_id=user_id, name=given["name"]):
            raise duplicate("application_credential", given["name"])
        credential = ApplicationCredential(
            id=new_hex(),
            name=given["name"],
            user_id=user_id,
            project_id=call.caller.project,
            secret_hash=hashed,
            description=given.get("description"),
            expires_at=_expiry(given.get("expires_at")),
            unrestricted=bool(given.get("unrestricted")),
            roles=_roles(call, given.get("roles")),
        )
        APPLICATION_CREDENTIALS.insert(call.db, credential)
    return Reply(201, {"application_credential": {**_view(call, credential), "secret": secret}})


def list_credentials(call: Call) -> Reply:
    user_id = _owner(call, "list", admin=True)
    name = call.query.get("name")
    found = [
        _view(call, credential)
        for credential in APPLICATION_CREDENTIALS.find(call.db, user_id=user_id)
        if name in (None, credential.name)
    ]
    return Reply(body={"application_credentials": found, "links": {}})


def _credential(call: Call, action: str) -> ApplicationCredential:
    user_id = _owner(call, action, admin=True)
    wanted = call.params["credential_id"]
    found = APPLICATION_CREDENTIALS.get(call.db, id=wanted, user_id=user_id)
    if found is None:
        raise missing("application credential", wanted)
    return found


def show_credential(call: Call) -> Reply:
    return Reply(body={"application_credential": _view(call, _credential(call, "get"))})


def delete_credential(call: Call) -> Reply:
    if not call.caller.unrestricted:
        raise forbid("identity:delete_application_credential")
    credential = _credential(call, "delete")
    revoke(call.db, application_credential_id=credential.id)
    APPLICATION_CREDENTIALS.delete(call.db, id=credential.id)
    return Reply(204)


_PATH = "/v3/users/{user_id}/application_credentials"
ROUTES = [
    Route("GET", _PATH, list_credentials, Access.TOKEN),
    Route(
        "POST", _PATH, create_credential, Access.READER, "identity:create_application_credential"
    ),
    Route("GET", _PATH + "/{credential_id}", show_credential, Access.TOKEN),
    Route("DELETE", _PATH + "/{credential_id}", delete_credential, Access.TOKEN),
]
