"""The identity service, put together."""

from __future__ import annotations

from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.router import Route, Service
from vks.local.cloud.identity import (
    application_credentials,
    catalog,
    projects,
    roles,
    token_api,
    users,
)
from vks.local.cloud.identity.errors import forbid, render


def _version(call: Call) -> Json:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.base_url}/identity/v3/"}],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}
        ],
    }


def list_versions(call: Call) -> Reply:
    location = {"Location": f"{call.base_url}/identity/v3/"}
    return Reply(300, {"versions": {"values": [_version(call)]}}, location)


def show_version(call: Call) -> Reply:
    return Reply(body={"version": _version(call)})


IDENTITY = Service(
    name="identity",
    prefix="/identity",
    routes=[
        Route("GET", "", list_versions, Access.PUBLIC),
        Route("GET", "/v3", show_version, Access.PUBLIC),
        *token_api.ROUTES,
        *catalog.ROUTES,
        *projects.ROUTES,
        *users.ROUTES,
        *roles.ROUTES,
        *application_credentials.ROUTES,
    ],
    render=render,
    forbid=forbid,
)
