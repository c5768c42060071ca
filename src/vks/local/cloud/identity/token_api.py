"""`/v3/auth/tokens`: issue, validate, revoke."""

from __future__ import annotations

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.settings import Settings
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import unauthorized
from vks.local.cloud.http.router import Route
from vks.local.cloud.identity.access import projects_of
from vks.local.cloud.identity.catalog import catalog
from vks.local.cloud.identity.errors import forbid, missing
from vks.local.cloud.identity.login import identify, scope_of
from vks.local.cloud.identity.projects import project_view
from vks.local.cloud.identity.tables import DOMAINS
from vks.local.cloud.identity.tokens import Grant, issue, judge, revoke


def token_view(db: Database, settings: Settings, grant: Grant, with_catalog: bool) -> Json:
    view: Json = {
        "methods": grant.token.methods,
        "user": {
            "domain": _domain(db, grant.user.domain_id),
            "id": grant.user.id,
            "name": grant.user.name,
            "password_expires_at": None,
        },
        "audit_ids": [grant.token.audit_id],
        "expires_at": grant.token.expires_at,
        "issued_at": grant.token.issued_at,
    }
    if grant.project:
        view["project"] = {
            "domain": _domain(db, grant.project.domain_id),
            "id": grant.project.id,
            "name": grant.project.name,
        }
        view["is_domain"] = False
    if grant.domain:
        view["domain"] = {"id": grant.domain.id, "name": grant.domain.name}
    if grant.roles:
        view["roles"] = [{"id": role.id, "name": role.name} for role in grant.roles]
        if with_catalog:
            view["catalog"] = catalog(settings)
    if grant.credential:
        view["application_credential"] = {
            "id": grant.credential.id,
            "name": grant.credential.name,
            "restricted": not grant.credential.unrestricted,
        }
    return view


def _domain(db: Database, domain_id: str) -> Json:
    domain = DOMAINS.get(db, id=domain_id)
    return {"id": domain_id, "name": domain.name if domain else domain_id}


async def create_token(call: Call) -> Reply:
    login = await identify(call.db, call.body)
    with call.db.transaction():
        scope = scope_of(call.db, login, call.body["auth"].get("scope"))
        issued = issue(
            call.db,
            login.user,
            scope,
            login.methods,
            call.cloud.settings.token_lifetime,
            login.credential,
            login.not_after,
        )
    if issued is None:
        raise unauthorized()
    secret, grant = issued
    view = token_view(call.db, call.cloud.settings, grant, "nocatalog" not in call.query)
    return Reply(201, {"token": view}, {"X-Subject-Token": secret})


def _subject(call: Call) -> tuple[str, Grant]:
    secret = call.headers.get("X-Subject-Token", "")
    grant = judge(call.db, secret) if secret else None
    if grant is None:
        raise missing("token", "the subject token is unknown or expired")
    own = grant.user.id == call.caller.user_id
    if not own and not call.caller.is_admin and "service" not in call.caller.roles:
        raise forbid("identity:validate_token")
    return secret, grant


def show_token(call: Call) -> Reply:
    secret, grant = _subject(call)
    view = token_view(call.db, call.cloud.settings, grant, "nocatalog" not in call.query)
    return Reply(200, {"token": view}, {"X-Subject-Token": secret})


def delete_token(call: Call) -> Reply:
    _, grant = _subject(call)
    revoke(call.db, digest=grant.token.digest)
    return Reply(204)


def list_own_projects(call: Call) -> Reply:
    projects = [project_view(project) for project in projects_of(call.db, call.caller.user_id)]
    return Reply(body={"projects": projects, "links": {}})


ROUTES = [
    Route("POST", "/v3/auth/tokens", create_token, Access.PUBLIC),
    Route("GET", "/v3/auth/tokens", show_token, Access.TOKEN),
    Route("DELETE", "/v3/auth/tokens", delete_token, Access.TOKEN),
    Route("GET", "/v3/auth/projects", list_own_projects, Access.TOKEN),
]
