"""Tokens, catalog, application credentials, roles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from tests.support.clouds import Cloud, Credential, Json, Project, error, eventually, ok, unique

UNAUTHORIZED = "The request you have made requires authentication."


def login(credential: Credential, identity: Json, scope: Any = "project") -> requests.Response:
    auth: Json = {"identity": identity}
    if scope == "project":
        auth["scope"] = {"project": {"id": credential.project_id}}
    elif scope is not None:
        auth["scope"] = scope
    return requests.post(f"{credential.auth_url}/auth/tokens", json={"auth": auth}, timeout=30)


def password(credential: Credential, secret: str | None = None) -> Json:
    user = {"id": credential.user_id, "password": secret or credential.password}
    return {"methods": ["password"], "password": {"user": user}}


def by_credential(created: Json, secret: str | None = None) -> Json:
    return {
        "methods": ["application_credential"],
        "application_credential": {"id": created["id"], "secret": secret or created["secret"]},
    }


def application_credential(project: Project, **more: Any) -> Json:
    body = {"application_credential": {"name": unique("credential"), **more}}
    path = f"/users/{project.member.credential.user_id}/application_credentials"
    created = ok(project.member.identity.post(path, body), 201)
    found: Json = created["application_credential"]
    return found


def ports_status(project: Project, token: str) -> int:
    """What Neutron thinks of a token."""
    url = project.member.session.get_endpoint(service_type="network")
    return requests.get(
        f"{url}/v2.0/ports", headers={"X-Auth-Token": token}, timeout=30
    ).status_code


def test_a_password_gives_a_token_with_roles_and_catalog(cloud: Cloud, project: Project) -> None:
    member = project.member.credential
    answer = login(member, password(member))
    token = ok(answer, 201)["token"]
    assert answer.headers["X-Subject-Token"]
    assert token["methods"] == ["password"]
    assert token["user"]["id"] == member.user_id
    assert token["user"]["domain"] == {"id": "default", "name": "Default"}
    assert token["project"] == {
        "id": project.id,
        "name": project.name,
        "domain": {"id": "default", "name": "Default"},
    }
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}
    assert {"issued_at", "expires_at", "audit_ids"} <= set(token)
    types = {service["type"] for service in token["catalog"]}
    assert {"identity", "compute", "network", "image"} <= types
    for service in token["catalog"]:
        for endpoint in service["endpoints"]:
            assert endpoint["region_id"] == cloud.region


@pytest.mark.parametrize("wrong", ["password", "user", "project"])
def test_wrong_credentials_all_look_the_same(project: Project, wrong: str) -> None:
    member = project.member.credential
    secret = "wrong" if wrong == "password" else None
    identity = password(member, secret)
    if wrong == "user":
        identity["password"]["user"]["id"] = "0" * 32
    scope: Any = {"project": {"id": "0" * 32}} if wrong == "project" else "project"
    refused = error(login(member, identity, scope), 401)
    assert refused == {"code": 401, "message": UNAUTHORIZED, "title": "Unauthorized"}


def test_a_project_without_a_role_is_refused(project: Project, cloud: Cloud) -> None:
    foreign = ok(cloud.admin.identity.post("/projects", {"project": {"name": unique("p")}}), 201)
    scope = {"project": {"id": foreign["project"]["id"]}}
    member = project.member.credential
    assert error(login(member, password(member), scope), 401)["code"] == 401


def test_a_malformed_login_is_a_bad_request(project: Project) -> None:
    url = f"{project.member.credential.auth_url}/auth/tokens"
    refused = error(requests.post(url, json={"auth": {}}, timeout=30), 400)
    assert refused["code"] == 400
    assert refused["title"] == "Bad Request"


def test_an_unscoped_token_has_no_project_and_no_catalog(project: Project) -> None:
    member = project.member.credential
    answer = login(member, password(member), scope="unscoped")
    token = ok(answer, 201)["token"]
    assert "project" not in token
    assert "catalog" not in token
    assert "roles" not in token


def test_projects_of_a_token_are_those_with_a_role(project: Project, other: Project) -> None:
    listed = ok(project.member.identity.get("/auth/projects"))["projects"]
    assert {project.id, other.id} <= {found["id"] for found in listed}


def test_a_revoked_token_is_refused(project: Project) -> None:
    """By services too, unless they cached it: real ones do so for minutes."""
    member = project.member.credential
    token = login(member, password(member)).headers["X-Subject-Token"]
    own = {"X-Auth-Token": token, "X-Subject-Token": token}
    url = f"{member.auth_url}/auth/tokens"
    assert requests.delete(url, headers=own, timeout=30).status_code == 204
    bare = {"X-Auth-Token": token}
    projects = requests.get(f"{member.auth_url}/auth/projects", headers=bare, timeout=30)
    assert error(projects, 401)["message"] == UNAUTHORIZED
    assert ports_status(project, token) == 401


def test_an_admin_validates_tokens_and_unknown_ones_are_404(cloud: Cloud, project: Project) -> None:
    member = project.member.credential
    token = login(member, password(member)).headers["X-Subject-Token"]
    identity = cloud.admin.identity
    seen = ok(identity.get("/auth/tokens", headers={"X-Subject-Token": token}))["token"]
    assert seen["user"]["id"] == member.user_id
    unknown = identity.get("/auth/tokens", headers={"X-Subject-Token": "unknown"})
    assert error(unknown, 404)["title"] == "Not Found"


def test_an_application_credential_logs_in_without_a_scope(project: Project) -> None:
    created = application_credential(project)
    member = project.member.credential
    token = ok(login(member, by_credential(created), scope=None), 201)["token"]
    assert token["methods"] == ["application_credential"]
    assert token["project"]["id"] == project.id
    assert token["application_credential"]["id"] == created["id"]
    assert token["application_credential"]["restricted"] is True


def test_an_application_credential_with_a_wrong_secret_is_refused(project: Project) -> None:
    created = application_credential(project)
    refused = login(project.member.credential, by_credential(created, "wrong"), scope=None)
    assert error(refused, 401)["message"] == UNAUTHORIZED


def test_the_secret_is_shown_once(project: Project) -> None:
    created = application_credential(project)
    assert created["secret"]
    path = f"/users/{project.member.credential.user_id}/application_credentials"
    shown = ok(project.member.identity.get(f"{path}/{created['id']}"))
    assert "secret" not in shown["application_credential"]


def test_a_deleted_application_credential_ends_its_tokens(project: Project) -> None:
    created = application_credential(project)
    member = project.member.credential
    token = login(member, by_credential(created), scope=None).headers["X-Subject-Token"]
    path = f"/users/{member.user_id}/application_credentials/{created['id']}"
    ok(project.member.identity.delete(path), 204)
    assert ports_status(project, token) == 401
    assert login(member, by_credential(created), scope=None).status_code in (401, 404)


def test_a_restricted_application_credential_makes_no_other(project: Project) -> None:
    created = application_credential(project)
    member = project.member.credential
    token = login(member, by_credential(created), scope=None).headers["X-Subject-Token"]
    answer = requests.post(
        f"{member.auth_url}/users/{member.user_id}/application_credentials",
        json={"application_credential": {"name": unique("credential")}},
        headers={"X-Auth-Token": token}, timeout=30,
    )  # fmt: skip
    assert error(answer, 403)["title"] == "Forbidden"


def test_an_expired_application_credential_ends_its_tokens(project: Project) -> None:
    expiry = (datetime.now(UTC) + timedelta(seconds=3)).replace(tzinfo=None)
    created = application_credential(project, expires_at=expiry.isoformat())
    member = project.member.credential
    answer = login(member, by_credential(created), scope=None)
    token = answer.headers["X-Subject-Token"]
    assert ok(answer, 201)["token"]["expires_at"] <= f"{expiry.isoformat()}Z"
    eventually(lambda: ports_status(project, token), lambda status: status == 401)


def test_an_application_credential_cannot_have_roles_that_its_user_lacks(
    project: Project,
) -> None:
    body = {"application_credential": {"name": unique("c"), "roles": [{"name": "admin"}]}}
    path = f"/users/{project.member.credential.user_id}/application_credentials"
    assert project.member.identity.post(path, body).status_code in (400, 403)


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("GET", "/projects", "identity:list_projects"),
        ("GET", "/users", "identity:list_users"),
        ("POST", "/projects", "identity:create_project"),
    ],
)
def test_members_do_not_administer(project: Project, method: str, path: str, rule: str) -> None:
    body = {"project": {"name": "x"}} if method == "POST" else None
    refused = error(project.member.identity.call(method, path, body), 403)
    message = f"You are not authorized to perform the requested action: {rule}."
    assert refused == {"code": 403, "message": message, "title": "Forbidden"}


def test_a_project_name_is_taken_once(cloud: Cloud, project: Project) -> None:
    again = cloud.admin.identity.post("/projects", {"project": {"name": project.name}})
    assert error(again, 409)["title"] == "Conflict"


@pytest.mark.parametrize("service", ["compute", "network"])
@pytest.mark.parametrize("token", [None, "nonsense"])
def test_services_refuse_callers_without_a_token(
    project: Project, service: str, token: str | None
) -> None:
    url = project.member.session.get_endpoint(service_type=service)
    path = "/servers" if service == "compute" else "/v2.0/ports"
    headers = {"X-Auth-Token": token} if token else {}
    answer = requests.get(url + path, headers=headers, timeout=30)
    assert error(answer, 401)["message"] == UNAUTHORIZED
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")
