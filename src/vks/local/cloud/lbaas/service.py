"""The load balancer service, put together."""

from __future__ import annotations

from vks.local.cloud.http.call import Access, Call, Reply
from vks.local.cloud.http.router import Route, Service
from vks.local.cloud.lbaas import loadbalancers, members, pools
from vks.local.cloud.lbaas.common import forbid, render


def show_version(call: Call) -> Reply:
    links = [{"rel": "self", "href": f"{call.base_url}/lbaas/v1/"}]
    return Reply(body={"version": {"id": "v1.0", "status": "CURRENT", "links": links}})


LBAAS = Service(
    name="lbaas",
    prefix="/lbaas",
    routes=[
        Route("GET", "/v1", show_version, Access.PUBLIC),
        *loadbalancers.ROUTES,
        *pools.ROUTES,
        *members.ROUTES,
    ],
    render=render,
    forbid=forbid,
)
