"""Attribute maps: what a resource's body may hold, as Neutron declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vks.local.cloud.http.call import Call, Json
from vks.local.cloud.http.schema import Invalid, Schema, check
from vks.local.cloud.network.errors import forbid, malformed


class _Required:
    """The attribute has no default."""


REQUIRED: Final = _Required()


class _NotGiven:
    """The attribute was left out, which is not the same as null."""


NOT_GIVEN: Final = _NotGiven()


@dataclass(frozen=True)
class Attribute:
    """One attribute of a body."""

    schema: Schema
    default: Any = NOT_GIVEN
    post: bool = True
    put: bool = True
    admin: bool = False  # only an admin may give it


NAME = Attribute({"type": "string", "maxLength": 255}, "")
TEXT = Attribute({"type": "string", "maxLength": 255}, "")
FLAG: Schema = {"type": "boolean"}
UUID: Schema = {"type": "string", "format": "uuid"}
TAGS: Schema = {
    "type": "array",
    "uniqueItems": True,
    "maxItems": 50,
    "items": {"type": "string", "minLength": 1, "maxLength": 255},
}

#: Every resource has these; tenant_id is the old name of project_id.
COMMON: Mapping[str, Attribute] = {
    "name": NAME,
    "description": TEXT,
    "project_id": Attribute({"type": "string", "maxLength": 255}, put=False),
    "tenant_id": Attribute({"type": "string", "maxLength": 255}, put=False),
}

_READ_ONLY = ("id", "status", "created_at", "updated_at", "revision_number")


@dataclass(frozen=True)
class Body:
    """The resource's name in bodies, and its attributes."""

    resource: str
    attributes: Mapping[str, Attribute]

    def create(self, call: Call) -> Json:
        """The given attributes with defaults filled in and `project_id` settled."""
        given = self._given(call, "POST")
        values: Json = {}
        for name, attribute in self.attributes.items():
            if name in given:
                values[name] = given[name]
            elif attribute.default is REQUIRED:
                raise malformed(
                    f"Failed to parse request. Required attribute '{name}' not specified"
                )
            else:
                values[name] = attribute.default
        values["project_id"] = _owner(call, self.resource, given)
        values.pop("tenant_id", None)
        return values

    def update(self, call: Call) -> Json:
        """Only the given attributes."""
        return self._given(call, "PUT")

    def _given(self, call: Call, method: str) -> Json:
        if not isinstance(call.body, dict) or not isinstance(call.body.get(self.resource), dict):
            raise malformed(f"Unable to find '{self.resource}' in request body")
        given: Json = call.body[self.resource]
        unknown = [name for name in given if name not in self.attributes]
        for name in unknown:
            if name in _READ_ONLY:
                raise malformed(_read_only(name, method))
        if unknown:
            raise malformed(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
        for name, value in given.items():
            self._check(call, method, name, value)
        return dict(given)

    def _check(self, call: Call, method: str, name: str, value: Any) -> None:
        attribute = self.attributes[name]
        if not (attribute.post if method == "POST" else attribute.put):
            raise malformed(_read_only(name, method))
        if attribute.admin and not call.caller.is_admin and value != attribute.default:
            verb = "create" if method == "POST" else "update"
            raise forbid(f"{verb}_{self.resource} and rule:{verb}_{self.resource}:{name}")
        try:
            check(attribute.schema, value)
        except Invalid as wrong:
            raise malformed(f"Invalid input for {name}. Reason: {_reason(wrong)}.") from wrong


def _read_only(name: str, method: str) -> str:
    if method == "POST":
        return f"Attribute '{name}' not allowed in POST"
    return f"Cannot update read-only attribute {name}"


def _reason(wrong: Invalid) -> str:
    """Neutron's phrase where it has one of its own."""
    if " is not of type 'string'" in wrong.message:
        return f"'{wrong.value}' is not a valid string"
    phrases = {"'cidr'": "CIDR", "'uuid'": "UUID", "'ip'": "IP address", "'ipv4'": "IP address"}
    for name, phrase in phrases.items():
        if wrong.message.endswith(f"is not a {name}"):
            return f"'{wrong.value}' is not a valid {phrase}"
    return wrong.message


def _owner(call: Call, resource: str, given: Json) -> str:
    """Whose the new resource is; only an admin may make one for another project."""
    asked = given.get("project_id") or given.get("tenant_id")
    if asked and asked != call.caller.project and not call.caller.is_admin:
        raise forbid(f"create_{resource}")
    return str(asked or call.caller.project)
