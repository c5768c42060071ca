"""Projects and domains."""

from __future__ import annotations

from vks.local.cloud.core.ids import new_hex
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.router import Route
from vks.local.cloud.identity.access import project_roles, projects_of
from vks.local.cloud.identity.errors import duplicate, envelope, forbid, missing, validate
from vks.local.cloud.identity.tables import (
    APPLICATION_CREDENTIALS,
    ASSIGNMENTS,
    DOMAINS,
    PROJECTS,
    Domain,
    Project,
)
from vks.local.cloud.identity.tokens import revoke

_PROPERTIES: Json = {
    "name": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"\S"},
    "description": {"type": ["string", "null"]},
    "enabled": {"type": "boolean"},
    "domain_id": {"type": ["string", "null"]},
    "parent_id": {"type": ["string", "null"]},
    "is_domain": {"enum": [False]},
    "tags": {"type": "array", "uniqueItems": True, "items": {"type": "string", "minLength": 1}},
}
_CREATE = envelope("project", _PROPERTIES, ("name",))
_UPDATE = envelope("project", _PROPERTIES)


def project_view(project: Project) -> Json:
    return {
        "id": project.id,
        "name": project.name,
        "domain_id": project.domain_id,
        "description": project.description,
        "enabled": project.enabled,
        "parent_id": project.parent_id,
        "is_domain": False,
        "tags": project.tags,
        "options": {},
        "links": {},
    }


def _project(call: Call) -> Project:
    project = PROJECTS.get(call.db, id=call.params["project_id"])
    if project is None:
        raise missing("project", call.params["project_id"])
    return project


def _matches(call: Call, project: Project) -> bool:
    view = project_view(project)
    wanted = ("name", "domain_id", "parent_id")
    if any(key in call.query and call.query[key] != view[key] for key in wanted):
        return False
    return "enabled" not in call.query or call.flag("enabled") == project.enabled


def list_projects(call: Call) -> Reply:
    found = [project_view(row) for row in PROJECTS.find(call.db) if _matches(call, row)]
    return Reply(body={"projects": found, "links": {}})


def list_user_projects(call: Call) -> Reply:
    user_id = call.params["user_id"]
    if user_id != call.caller.user_id and not call.caller.is_admin:
        raise forbid("identity:list_user_projects")
    found = [project_view(row) for row in projects_of(call.db, user_id) if _matches(call, row)]
    return Reply(body={"projects": found, "links": {}})


def show_project(call: Call) -> Reply:
    project = PROJECTS.get(call.db, id=call.params["project_id"])
    if not call.caller.is_admin and (
        project is None or not project_roles(call.db, call.caller.user_id, project)
    ):
        raise forbid("identity:get_project")
    return Reply(body={"project": project_view(_project(call))})


def create_project(call: Call) -> Reply:
    validate(_CREATE, call.body)
    given = call.body["project"]
    domain_id = given.get("domain_id") or call.caller.domain_id
    if DOMAINS.get(call.db, id=domain_id) is None:
        raise missing("domain", domain_id)
    parent_id = given.get("parent_id") or domain_id
    if parent_id != domain_id and PROJECTS.get(call.db, id=parent_id) is None:
        raise missing("project", parent_id)
    if PROJECTS.get(call.db, name=given["name"], domain_id=domain_id):
        raise duplicate("project", given["name"])
    project = Project(
        id=new_hex(),
        name=given["name"],
        domain_id=domain_id,
        parent_id=parent_id,
        description=given.get("description") or "",
        enabled=given.get("enabled", True),
        tags=given.get("tags", []),
    )
    PROJECTS.insert(call.db, project)
    return Reply(201, {"project": project_view(project)})


def update_project(call: Call) -> Reply:
    validate(_UPDATE, call.body)
    project = _project(call)
    given = call.body["project"]
    changes = {key: given[key] for key in ("name", "enabled", "tags") if key in given}
    if "description" in given:
        changes["description"] = given["description"] or ""
    twin = PROJECTS.get(call.db, name=changes.get("name", ""), domain_id=project.domain_id)
    if twin is not None and twin.id != project.id:
        raise duplicate("project", changes["name"])
    return Reply(body={"project": project_view(PROJECTS.update(call.db, project, **changes))})


def delete_project(call: Call) -> Reply:
    """As in Keystone, what the project owns in other services stays."""
    project = _project(call)
    revoke(call.db, project_id=project.id)
    APPLICATION_CREDENTIALS.delete(call.db, project_id=project.id)
    ASSIGNMENTS.delete(call.db, target="project", target_id=project.id)
    PROJECTS.delete(call.db, id=project.id)
    return Reply(204)


def domain_view(domain: Domain) -> Json:
    return {
        "id": domain.id,
        "name": domain.name,
        "description": domain.description,
        "enabled": domain.enabled,
        "tags": [],
        "options": {},
        "links": {},
    }


def list_domains(call: Call) -> Reply:
    name = call.query.get("name")
    found = [domain_view(row) for row in DOMAINS.find(call.db) if name in (None, row.name)]
    return Reply(body={"domains": found, "links": {}})


def show_domain(call: Call) -> Reply:
    domain_id = call.params["domain_id"]
    if not call.caller.is_admin and domain_id != call.caller.domain_id:
        raise forbid("identity:get_domain")
    domain = DOMAINS.get(call.db, id=domain_id)
    if domain is None:
        raise missing("domain", domain_id)
    return Reply(body={"domain": domain_view(domain)})


ROUTES = [
    Route("GET", "/v3/projects", list_projects, Access.ADMIN, "identity:list_projects"),
    Route("POST", "/v3/projects", create_project, Access.ADMIN, "identity:create_project"),
    Route("GET", "/v3/projects/{project_id}", show_project, Access.TOKEN),
    Route(
        "PATCH",
        "/v3/projects/{project_id}",
        update_project,
        Access.ADMIN,
        "identity:update_project",
    ),
    Route(
        "DELETE",
        "/v3/projects/{project_id}",
        delete_project,
        Access.ADMIN,
        "identity:delete_project",
    ),
    Route("GET", "/v3/users/{user_id}/projects", list_user_projects, Access.TOKEN),
    Route("GET", "/v3/domains", list_domains, Access.ADMIN, "identity:list_domains"),
    Route("GET", "/v3/domains/{domain_id}", show_domain, Access.TOKEN),
]
