"""Checks a JSON value against the part of JSON Schema that the requests need.

The messages are those of the `jsonschema` package, which is what OpenStack's users see.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from vks.local.cloud.core.ids import is_uuid

Schema = dict[str, Any]


class Invalid(ValueError):  # noqa: N818 - it is a finding, not a failure
    """`path` leads to the offending value (empty: the whole body)."""

    def __init__(self, path: str, value: Any, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.value = value
        self.message = message


def check(schema: Schema, value: Any) -> None:
    """Raises Invalid for the first thing that is wrong."""
    for finding in _findings(schema, value, ""):
        raise finding


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def _is(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def accepts(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return accepts


_FORMATS: dict[str, Callable[[str], bool]] = {
    "uuid": is_uuid,
    "ipv4": _is(ipaddress.IPv4Address),
    "ip": _is(ipaddress.ip_address),
    "cidr": _is(lambda text: ipaddress.ip_network(text, strict=False)),
    "regex": _is(lambda text: re.compile(text)),
}


def _findings(schema: Schema, value: Any, path: str) -> Iterator[Invalid]:
    kinds = schema.get("type")
    if kinds is not None:
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not any(_TYPES[kind](value) for kind in kinds):
            names = ", ".join(repr(kind) for kind in kinds)
            yield Invalid(path, value, f"{value!r} is not of type {names}")
            return
    if "enum" in schema and value not in schema["enum"]:
        yield Invalid(path, value, f"{value!r} is not one of {schema['enum']!r}")
    if isinstance(value, str):
        yield from _string(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(schema, value, path)
    elif isinstance(value, list):
        yield from _array(schema, value, path)
    elif isinstance(value, dict):
        yield from _object(schema, value, path)


def _string(schema: Schema, value: str, path: str) -> Iterator[Invalid]:
    if len(value) < schema.get("minLength", 0):
        yield Invalid(path, value, f"{value!r} is too short")
    if len(value) > schema.get("maxLength", len(value)):
        yield Invalid(path, value, f"{value!r} is too long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield Invalid(path, value, f"{value!r} does not match {schema['pattern']!r}")
    if "format" in schema and not _FORMATS[schema["format"]](value):
        yield Invalid(path, value, f"{value!r} is not a {schema['format']!r}")


def _number(schema: Schema, value: float, path: str) -> Iterator[Invalid]:
    if value < schema.get("minimum", value):
        yield Invalid(path, value, f"{value!r} is less than the minimum of {schema['minimum']!r}")
    if value > schema.get("maximum", value):
        yield Invalid(
            path, value, f"{value!r} is greater than the maximum of {schema['maximum']!r}"
        )


def _array(schema: Schema, value: list[Any], path: str) -> Iterator[Invalid]:
    if len(value) < schema.get("minItems", 0):
        yield Invalid(path, value, f"{value!r} is too short")
    if len(value) > schema.get("maxItems", len(value)):
        yield Invalid(path, value, f"{value!r} is too long")
    if schema.get("uniqueItems") and any(item in value[:at] for at, item in enumerate(value)):
        yield Invalid(path, value, f"{value!r} has non-unique elements")
    if "items" in schema:
        for at, item in enumerate(value):
            yield from _findings(schema["items"], item, f"{path}.{at}" if path else str(at))


def _object(schema: Schema, value: dict[str, Any], path: str) -> Iterator[Invalid]:
    properties: Schema = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield Invalid(path, value, f"{name!r} is a required property")
    extra = [name for name in value if name not in properties]
    additional = schema.get("additionalProperties", True)
    if extra and additional is False:
        names = ", ".join(repr(name) for name in extra)
        verb = "was" if len(extra) == 1 else "were"
        yield Invalid(
            path, value, f"Additional properties are not allowed ({names} {verb} unexpected)"
        )
    for name, item in value.items():
        below = f"{path}.{name}" if path else name
        if name in properties:
            yield from _findings(properties[name], item, below)
        elif isinstance(additional, dict):
            yield from _findings(additional, item, below)
    if "keys" in schema:
        for name in value:
            yield from _findings(schema["keys"], name, path)
