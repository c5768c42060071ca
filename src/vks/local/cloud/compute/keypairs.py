"""Key pairs, a user's own."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from vks.local.cloud.compute.errors import validate
from vks.local.cloud.compute.pages import page
from vks.local.cloud.compute.quotas import limit_of
from vks.local.cloud.compute.tables import KEYPAIRS, Keypair
from vks.local.cloud.core.ids import seconds
from vks.local.cloud.http.call import Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, conflict, forbidden, not_found
from vks.local.cloud.http.router import Route

_CREATE: Json = {
    "type": "object",
    "required": ["keypair"],
    "additionalProperties": False,
    "properties": {
        "keypair": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 255},
                "public_key": {"type": "string"},
                "type": {"enum": ["ssh", "x509"]},
                "user_id": {"type": "string"},
            },
        }
    },
}


def _view(call: Call, keypair: Keypair, *, detail: bool = False) -> Json:
    view: Json = {
        "name": keypair.name,
        "public_key": keypair.public_key,
        "fingerprint": keypair.fingerprint,
    }
    if call.at_least(2):
        view["type"] = keypair.kind
    if detail:
        view |= {
            "user_id": keypair.user_id,
            "created_at": keypair.created_at,
            "deleted": False,
            "deleted_at": None,
            "updated_at": None,
            "id": 1,
        }
    return view


def _fingerprint(public_key: str) -> str:
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error) as wrong:
        raise bad_request("Keypair data is invalid: failed to generate fingerprint") from wrong
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))


def list_keypairs(call: Call) -> Reply:
    rows = KEYPAIRS.find(call.db, order="name", user_id=call.caller.user_id)
    chosen, links = page(call, "keypairs", rows, [row.name for row in rows])
    return Reply(body={"keypairs": [{"keypair": _view(call, row)} for row in chosen], **links})


def _keypair(call: Call) -> Keypair:
    name = call.params["name"]
    found = KEYPAIRS.get(call.db, user_id=call.caller.user_id, name=name)
    if found is None:
        raise not_found(f"Keypair {name} not found for user {call.caller.user_id}")
    return found


def show_keypair(call: Call) -> Reply:
    return Reply(body={"keypair": _view(call, _keypair(call), detail=True)})


def create_keypair(call: Call) -> Reply:
    """Without a public key Nova makes the pair itself, which 2.92 no longer does."""
    validate(_CREATE, call.body)
    given = call.body["keypair"]
    owned = KEYPAIRS.find(call.db, user_id=call.caller.user_id)
    if any(keypair.name == given["name"] for keypair in owned):
        raise conflict(f"Key pair '{given['name']}' already exists.")
    if len(owned) >= limit_of(call.db, call.caller.project, "key_pairs"):
        raise forbidden("Quota exceeded, too many key pairs.")
    private = None
    public = given.get("public_key")
    if public is None:
        if call.at_least(92):
            raise bad_request("'public_key' is a required property")
        private, public = _generate()
    keypair = Keypair(
        user_id=call.caller.user_id,
        name=given["name"],
        kind=given.get("type", "ssh"),
        public_key=public,
        fingerprint=_fingerprint(public),
        created_at=seconds(),
    )
    KEYPAIRS.insert(call.db, keypair)
    view = {**_view(call, keypair), "user_id": keypair.user_id}
    if private is not None:
        view["private_key"] = private
    return Reply(201 if call.at_least(2) else 200, {"keypair": view})


def _generate() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} Generated-by-Nova"


def delete_keypair(call: Call) -> Reply:
    keypair = _keypair(call)
    KEYPAIRS.delete(call.db, user_id=keypair.user_id, name=keypair.name)
    return Reply(204 if call.at_least(2) else 202)


ROUTES = [
    Route("GET", "/v2.1/os-keypairs", list_keypairs),
    Route("POST", "/v2.1/os-keypairs", create_keypair),
    Route("GET", "/v2.1/os-keypairs/{name}", show_keypair),
    Route("DELETE", "/v2.1/os-keypairs/{name}", delete_keypair),
]
