"""Tokens, what they grant, and when they stop granting it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.local.cloud.region import Caller, Region, login_body

TOKENS = "/identity/v3/auth/tokens"


async def credential(region: Region, demo: Caller, **more: Any) -> tuple[str, dict[str, Any]]:
    token = await demo.ok("GET", TOKENS, X_Subject_Token=demo.headers["X-Auth-Token"])
    path = f"/identity/v3/users/{token['token']['user']['id']}/application_credentials"
    body = {"application_credential": {"name": "ci", **more}}
    created = await demo.ok("POST", path, body)
    return path, created["application_credential"]


async def login_with(region: Region, made: dict[str, Any]) -> Caller | None:
    proof = {"id": made["id"], "secret": made["secret"]}
    body = {
        "auth": {
            "identity": {"methods": ["application_credential"], "application_credential": proof}
        }
    }
    answer = await region.anonymous.call("POST", TOKENS, body)
    if answer.status != 201:
        return None
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    return Caller(region.session, region.url, headers)


async def test_a_wrong_password_is_401(region: Region) -> None:
    body = login_body("demo", "wrong", "test")
    assert (await region.anonymous.call("POST", TOKENS, body)).status == 401


async def test_a_project_where_the_user_has_no_role_is_401(region: Region) -> None:
    body = login_body("demo", "demo", "other")
    assert (await region.anonymous.call("POST", TOKENS, body)).status == 401


async def test_the_catalog_names_every_service(region: Region, demo: Caller) -> None:
    found = await demo.ok("GET", "/identity/v3/auth/catalog")
    types = {service["type"] for service in found["catalog"]}
    assert types == {"identity", "compute", "network", "image", "lbaas", "kubernetes"}


async def test_a_revoked_token_is_refused_everywhere(region: Region, demo: Caller) -> None:
    await demo.ok("DELETE", TOKENS, X_Subject_Token=demo.headers["X-Auth-Token"])
    assert (await demo.call("GET", "/network/v2.0/networks")).status == 401


async def test_an_inherited_role_reaches_every_project(region: Region) -> None:
    for project in ("test", "other"):
        vks = await region.login("vks", project)
        assert (await vks.call("GET", "/identity/v3/projects")).status == 200


async def test_tokens_and_passwords_are_not_in_the_database(region: Region, demo: Caller) -> None:
    rows = region.cloud.db.query("SELECT * FROM tokens") + region.cloud.db.query(
        "SELECT * FROM users"
    )
    text = " ".join(str(value) for row in rows for value in tuple(row))
    assert demo.headers["X-Auth-Token"] not in text
    assert "scrypt$" in text


async def test_an_application_credential_logs_in_for_its_project(
    region: Region, demo: Caller
) -> None:
    _, made = await credential(region, demo)
    caller = await login_with(region, made)
    assert caller is not None
    assert (await caller.call("GET", "/network/v2.0/networks")).status == 200


async def test_a_restricted_credential_may_not_make_others(region: Region, demo: Caller) -> None:
    path, made = await credential(region, demo)
    caller = await login_with(region, made)
    assert caller is not None
    body = {"application_credential": {"name": "child"}}
    assert (await caller.call("POST", path, body)).status == 403


async def test_deleting_a_credential_ends_its_tokens(region: Region, demo: Caller) -> None:
    path, made = await credential(region, demo)
    caller = await login_with(region, made)
    assert caller is not None
    await demo.ok("DELETE", f"{path}/{made['id']}")
    assert (await caller.call("GET", "/network/v2.0/networks")).status == 401
    assert await login_with(region, made) is None


async def test_an_expiry_in_the_past_is_400(region: Region, demo: Caller) -> None:
    token = await demo.ok("GET", TOKENS, X_Subject_Token=demo.headers["X-Auth-Token"])
    path = f"/identity/v3/users/{token['token']['user']['id']}/application_credentials"
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    body = {"application_credential": {"name": "ci", "expires_at": past}}
    assert (await demo.call("POST", path, body)).status == 400


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/network/v2.0/networks", {"network": {"name": "n"}}),
        ("POST", "/compute/v2.1/servers", {"server": {}}),
        ("POST", "/lbaas/v1/loadbalancers", {"loadbalancer": {"name": "n"}}),
    ],
)
async def test_a_reader_may_not_write(
    region: Region, method: str, path: str, body: dict[str, Any]
) -> None:
    guest = await region.login("guest")
    assert (await guest.call(method, path, body)).status == 403


async def test_a_plain_user_may_not_list_projects(region: Region, demo: Caller) -> None:
    answer = await demo.call("GET", "/identity/v3/projects")
    assert (answer.status, answer.body["error"]["title"]) == (403, "Forbidden")
