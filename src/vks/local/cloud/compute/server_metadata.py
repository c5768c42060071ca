"""Metadata and tags of a server."""

from __future__ import annotations

from vks.local.cloud.compute.errors import validate
from vks.local.cloud.compute.quotas import limit_of
from vks.local.cloud.compute.server_lookup import find_server
from vks.local.cloud.compute.server_request import METADATA, TAG, TAGS
from vks.local.cloud.compute.tables import SERVERS, Server
from vks.local.cloud.core.ids import seconds
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import bad_request, forbidden, not_found
from vks.local.cloud.http.router import Route


def _envelope(name: str, schema: Json) -> Json:
    return {"type": "object", "required": [name], "properties": {name: schema}}


def _write(call: Call, server: Server, metadata: dict[str, str]) -> None:
    if len(metadata) > limit_of(call.db, server.project_id, "metadata_items"):
        raise forbidden("Maximum number of metadata items exceeds the quota.")
    SERVERS.update(call.db, server, metadata=metadata, updated_at=seconds())


def list_metadata(call: Call) -> Reply:
    return Reply(body={"metadata": find_server(call).metadata})


def add_metadata(call: Call) -> Reply:
    validate(_envelope("metadata", METADATA), call.body)
    server = find_server(call)
    metadata = {**server.metadata, **call.body["metadata"]}
    _write(call, server, metadata)
    return Reply(body={"metadata": metadata})


def replace_metadata(call: Call) -> Reply:
    validate(_envelope("metadata", METADATA), call.body)
    _write(call, find_server(call), call.body["metadata"])
    return Reply(body={"metadata": call.body["metadata"]})


def _item(call: Call) -> tuple[Server, str]:
    server, key = find_server(call), call.params["meta_key"]
    if key not in server.metadata:
        raise not_found("Metadata item was not found")
    return server, key


def show_item(call: Call) -> Reply:
    server, key = _item(call)
    return Reply(body={"meta": {key: server.metadata[key]}})


def set_item(call: Call) -> Reply:
    validate(_envelope("meta", METADATA), call.body)
    key = call.params["meta_key"]
    if list(call.body["meta"]) != [key]:
        raise bad_request("Request body and URI mismatch")
    server = find_server(call)
    _write(call, server, {**server.metadata, **call.body["meta"]})
    return Reply(body={"meta": call.body["meta"]})


def delete_item(call: Call) -> Reply:
    server, key = _item(call)
    _write(call, server, {name: v for name, v in server.metadata.items() if name != key})
    return Reply(204)


def _tag(call: Call, server: Server, tags: list[str]) -> None:
    validate(TAGS, tags)
    SERVERS.update(call.db, server, tags=tags, updated_at=seconds())


def list_tags(call: Call) -> Reply:
    return Reply(body={"tags": find_server(call).tags})


def replace_tags(call: Call) -> Reply:
    validate(_envelope("tags", TAGS), call.body)
    tags = list(dict.fromkeys(call.body["tags"]))
    _tag(call, find_server(call), tags)
    return Reply(body={"tags": tags})


def remove_tags(call: Call) -> Reply:
    _tag(call, find_server(call), [])
    return Reply(204)


def _missing(call: Call, server: Server) -> Exception:
    return not_found(f"Server {server.id} has no tag '{call.params['tag']}'")


def check_tag(call: Call) -> Reply:
    server = find_server(call)
    if call.params["tag"] not in server.tags:
        raise _missing(call, server)
    return Reply(204)


def add_tag(call: Call) -> Reply:
    server, tag = find_server(call), call.params["tag"]
    validate(TAG, tag)
    if tag in server.tags:
        return Reply(204)
    _tag(call, server, [*server.tags, tag])
    return Reply(201, None, {"Location": f"{call.base_url}{call.path}"})


def remove_tag(call: Call) -> Reply:
    server, tag = find_server(call), call.params["tag"]
    if tag not in server.tags:
        raise _missing(call, server)
    _tag(call, server, [other for other in server.tags if other != tag])
    return Reply(204)


_SERVER = "/v2.1/servers/{server_id}"
_META, _TAGS = f"{_SERVER}/metadata", f"{_SERVER}/tags"
_META_ACTION, _TAG_ACTION = "os_compute_api:server-metadata", "os_compute_api:os-server-tags"
ROUTES = [
    Route("GET", _META, list_metadata),
    Route("POST", _META, add_metadata, Access.MEMBER, f"{_META_ACTION}:create"),
    Route("PUT", _META, replace_metadata, Access.MEMBER, f"{_META_ACTION}:update_all"),
    Route("GET", _META + "/{meta_key}", show_item),
    Route("PUT", _META + "/{meta_key}", set_item, Access.MEMBER, f"{_META_ACTION}:update"),
    Route("DELETE", _META + "/{meta_key}", delete_item, Access.MEMBER, f"{_META_ACTION}:delete"),
    Route("GET", _TAGS, list_tags, minimum=26),
    Route("PUT", _TAGS, replace_tags, Access.MEMBER, f"{_TAG_ACTION}:update_all", minimum=26),
    Route("DELETE", _TAGS, remove_tags, Access.MEMBER, f"{_TAG_ACTION}:delete_all", minimum=26),
    Route("GET", _TAGS + "/{tag}", check_tag, minimum=26),
    Route("PUT", _TAGS + "/{tag}", add_tag, Access.MEMBER, f"{_TAG_ACTION}:update", minimum=26),
    Route(
        "DELETE", _TAGS + "/{tag}", remove_tag, Access.MEMBER, f"{_TAG_ACTION}:delete", minimum=26
    ),
]
