"""What a request for a server may say, by microversion."""

from __future__ import annotations

import base64
import binascii

from vks.local.cloud.compute.errors import validate
from vks.local.cloud.compute.volumes import block_device
from vks.local.cloud.http.call import Call, Json
from vks.local.cloud.http.errors import bad_request

MAX_USER_DATA = 65535  # characters of base64

_UUID = {"type": "string", "format": "uuid"}
METADATA: Json = {
    "type": "object",
    "additionalProperties": {"type": "string", "maxLength": 255},
    "keys": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9-_:. ]+$"},
}
TAG: Json = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"}
TAGS: Json = {"type": "array", "maxItems": 50, "items": TAG}
NAME: Json = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^\S(.*\S)?$"}
_NETWORK: Json = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "uuid": _UUID,
        "port": {"type": ["string", "null"], "format": "uuid"},
        "fixed_ip": {"type": "string", "format": "ip"},
        "tag": TAG,
    },
}
_COUNT: Json = {"type": ["integer", "string"], "minimum": 1, "pattern": "^[1-9][0-9]*$"}


def server_schema(call: Call) -> Json:
    networks: Json = {"type": "array", "items": _NETWORK}
    if call.at_least(37):
        networks = {**networks, "type": ["array", "string"]}
    properties: Json = {
        "name": NAME,
        "imageRef": {"type": "string"},
        "flavorRef": {"type": ["string", "integer"]},
        "networks": networks,
        "metadata": METADATA,
        "user_data": {"type": "string", "maxLength": MAX_USER_DATA},
        "availability_zone": {"type": "string", "minLength": 1, "maxLength": 255},
        "key_name": {"type": "string", "minLength": 1, "maxLength": 255},
        "config_drive": {"type": ["boolean", "string"]},
        "security_groups": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"name": {"type": "string", "minLength": 1}},
            },
        },
        "min_count": _COUNT,
        "max_count": _COUNT,
        "return_reservation_id": {"type": ["boolean", "string"]},
        "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]},
        "accessIPv4": {"type": "string"},
        "accessIPv6": {"type": "string"},
        "adminPass": {"type": "string"},
        "block_device_mapping_v2": {"type": "array", "items": block_device(call)},
    }
    if call.at_least(19):
        properties["description"] = {"type": ["string", "null"], "maxLength": 255}
    if call.at_least(52):
        properties["tags"] = TAGS
    if call.at_least(90):
        properties["hostname"] = {
            "type": "string",
            "pattern": r"^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$",
        }
    required = ["name", "flavorRef", *(["networks"] if call.at_least(37) else [])]
    hints: Json = {"type": "object", "properties": {"group": _UUID}}
    return {
        "type": "object",
        "required": ["server"],
        "additionalProperties": False,
        "properties": {
            "server": {
                "type": "object",
                "required": required,
                "additionalProperties": False,
                "properties": properties,
            },
            "os:scheduler_hints": hints,
            "OS-SCH-HNT:scheduler_hints": hints,
        },
    }


def parse_request(call: Call) -> tuple[Json, Json]:
    """(server, scheduler hints) of a valid request; ApiError 400 otherwise."""
    validate(server_schema(call), call.body)
    server: Json = call.body["server"]
    user_data = server.get("user_data")
    if user_data is not None:
        try:
            base64.b64decode(user_data, validate=True)
        except binascii.Error as wrong:
            raise bad_request("User data needs to be valid base 64.") from wrong
    if isinstance(server.get("networks"), str) and server["networks"] not in ("auto", "none"):
        raise bad_request(
            "Invalid input for field/attribute networks. "
            f"Value: {server['networks']}. {server['networks']!r} is not valid under any of the "
            "given schemas"
        )
    least = int(server.get("min_count") or 1)
    if least > int(server.get("max_count") or least):
        raise bad_request("min_count must be <= max_count")
    hints = call.body.get("os:scheduler_hints") or call.body.get("OS-SCH-HNT:scheduler_hints")
    return server, hints or {}
