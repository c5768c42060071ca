"""The OpenAPI document, and the page on the REST API out of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from docs.generate.markdown import NOTICE, Row, field_table, notes_of, one_of, table, type_of

from vks.service.api.app import create_app
from vks.service.api.auth import Caller
from vks.service.api.context import Services
from vks.service.api.problems import TITLES, Problem
from vks.service.config import CloudAccess, Config, RegionConfig

_INTRODUCTION = """
# REST API

The document itself is [`openapi.json`](openapi.json) (OpenAPI 3.1); a running service shows it at
`/v1/openapi.json`, and as a page to try at `/v1/docs`.

- **Who calls**: a Keystone token in `X-Auth-Token`, or as a bearer token. It is good for its own
  project only; everything else is 404, like what does not exist.
- **Changes** answer 202 with an operation; `Location` is where to follow it.
- **Watching**: `?watch=1` turns a read into server-sent events, one per change, the whole
  resource in each; a comment every 15 s is a sign of life.
- **`Idempotency-Key`** on a change makes sending it again safe: the same operation is answered.
- **`ETag` and `If-Match`**: a change with the ETag of an older read is refused with 412.
- **Pages**: `limit` (at most 500) and the `continue` of the page before.
- **Errors** are RFC 9457 problem documents with a stable `code`; `errors` names the fields.
"""

_METHODS = ("get", "post", "patch", "put", "delete")


def document() -> dict[str, Any]:
    """The OpenAPI document; it does not depend on the configuration."""
    region = RegionConfig(
        name="region",
        zones=("zone",),
        kubeconfig="",
        identity_url="",
        cloud=CloudAccess(clouds_yaml="", cloud=""),
    )
    return create_app(Services(Config(regions=(region,)), (), _Nobody())).openapi()


class _Nobody:
    async def authenticate(self, token: str) -> Caller:
        raise Problem("unauthenticated", "there is nobody")


def openapi_json() -> str:
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


def page() -> str:
    """The whole page."""
    api = document()
    routes = [
        (path, method, item[method])
        for path, item in api["paths"].items()
        for method in _METHODS
        if method in item
    ]
    text = NOTICE + _INTRODUCTION + "\n## Routes\n\n"
    text += table(
        ("Route", "Operation", ""),
        (
            (f"`{method.upper()} {path}`", _link(operation), _description(operation))
            for path, method, operation in routes
        ),
    )
    text += "".join(_route(*route) for route in routes)
    text += "\n## Problem codes\n\n" + table(
        ("Code", "Status", "Title"),
        ((f"`{code}`", str(status), title) for code, (status, title) in TITLES.items()),
    )
    schemas = api["components"]["schemas"]
    return text + "\n## Schemas\n" + "".join(_schema(n, schemas[n]) for n in sorted(schemas))


def _link(operation: dict[str, Any]) -> str:
    name = operation["operationId"]
    return f"[{name}](#{name.lower()})"


def _description(operation: dict[str, Any]) -> str:
    return str(operation.get("description", "")).partition("\n\n")[0]


def _route(path: str, method: str, operation: dict[str, Any]) -> str:
    text = f"\n### {operation['operationId']}\n\n`{method.upper()} {path}`\n"
    if operation.get("description"):
        text += f"\n{operation['description']}\n"
    parameters = [_parameter(p) for p in operation.get("parameters", ()) if p["in"] != "path"]
    if parameters:
        text += "\n" + table(("Parameter", "In", "Type", "Notes"), parameters)
    if body := operation.get("requestBody"):
        schema = body["content"]["application/json"]["schema"]
        text += f"\nBody: {type_of(schema)}\n"
    return text + "".join(f"\nAnswers {line}\n" for line in _answers(operation))


def _parameter(parameter: dict[str, Any]) -> tuple[str, str, str, str]:
    schema = parameter["schema"]
    name = parameter["name"]
    shown = (
        "-".join(w.capitalize() for w in name.split("-")) if parameter["in"] == "header" else name
    )
    return f"`{shown}`", parameter["in"], type_of(schema), notes_of(one_of(schema)[0])


def _answers(operation: dict[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if status.startswith("2") and schema:
            yield f"{status}: {type_of(schema)}"


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        Row(field, type_of(inner), field in required, notes_of(one_of(inner)[0]))
        for field, inner in schema.get("properties", {}).items()
    ]
    text = f"\n### {name}\n"
    if schema.get("description"):
        text += f"\n{schema['description']}\n"
    return text + "\n" + field_table(rows)
