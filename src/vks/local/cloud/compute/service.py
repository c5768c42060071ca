"""The compute service, put together."""

from __future__ import annotations

from vks.local.cloud.compute import (
    flavors,
    interfaces,
    keypairs,
    quotas,
    server_actions,
    server_create,
    server_groups,
    server_list,
    server_metadata,
)
from vks.local.cloud.compute.errors import forbid, render
from vks.local.cloud.compute.microversion import MAXIMUM, MINIMUM, text
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.router import Route, Service


def _version(call: Call) -> Json:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": text(MAXIMUM),
        "min_version": text(MINIMUM),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.base_url}/compute/v2.1/"}],
    }


def list_versions(call: Call) -> Reply:
    return Reply(body={"versions": [_version(call)]})


def show_version(call: Call) -> Reply:
    media = {
        "base": "application/json",
        "type": "application/vnd.openstack.compute+json;version=2.1",
    }
    return Reply(body={"version": {**_version(call), "media-types": [media]}})


COMPUTE = Service(
    name="compute",
    prefix="/compute",
    routes=[
        Route("GET", "", list_versions, Access.PUBLIC),
        Route("GET", "/v2.1", show_version, Access.PUBLIC),
        *flavors.ROUTES,
        *keypairs.ROUTES,
        *server_groups.ROUTES,
        *quotas.ROUTES,
        *server_list.ROUTES,
        *server_create.ROUTES,
        *server_actions.ROUTES,
        *interfaces.ROUTES,
        *server_metadata.ROUTES,
    ],
    render=render,
    forbid=forbid,
)
