"""Roles and their assignments."""

from __future__ import annotations

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import new_hex
from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.router import Route
from vks.local.cloud.identity.access import project_roles, projects_of
from vks.local.cloud.identity.errors import duplicate, envelope, forbid, missing, validate
from vks.local.cloud.identity.tables import (
    ASSIGNMENTS,
    DOMAINS,
    PROJECTS,
    ROLES,
    USERS,
    Assignment,
    Role,
)

_CREATE = envelope(
    "role",
    {
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": {"type": ["string", "null"]},
    },
    ("name",),
)


def _view(role: Role) -> Json:
    return {
        "id": role.id,
        "name": role.name,
        "domain_id": None,
        "description": role.description,
        "options": {},
        "links": {},
    }


def list_roles(call: Call) -> Reply:
    name = call.query.get("name")
    found = [_view(role) for role in ROLES.find(call.db) if name in (None, role.name)]
    return Reply(body={"roles": found, "links": {}})


def show_role(call: Call) -> Reply:
    role = ROLES.get(call.db, id=call.params["role_id"])
    if role is None:
        raise missing("role", call.params["role_id"])
    return Reply(body={"role": _view(role)})


def create_role(call: Call) -> Reply:
    validate(_CREATE, call.body)
    given = call.body["role"]
    if ROLES.get(call.db, name=given["name"]):
        raise duplicate("role", given["name"])
    role = Role(id=new_hex(), name=given["name"], description=given.get("description"))
    return Reply(201, {"role": _view(ROLES.insert(call.db, role))})


def _assignment(call: Call) -> Assignment:
    """The assignment that the path names; 404 unless user, role and target exist."""
    target = "project" if "project_id" in call.params else "domain"
    target_id = call.params[f"{target}_id"]
    exists = PROJECTS.get(call.db, id=target_id) or DOMAINS.get(call.db, id=target_id)
    if exists is None:
        raise missing(target, target_id)
    for kind, table in (("user", USERS), ("role", ROLES)):
        if table.get(call.db, id=call.params[f"{kind}_id"]) is None:
            raise missing(kind, call.params[f"{kind}_id"])
    return Assignment(
        role_id=call.params["role_id"],
        user_id=call.params["user_id"],
        target=target,
        target_id=target_id,
        inherited="OS-INHERIT" in call.path,
    )


def _find(db: Database, wanted: Assignment) -> Assignment | None:
    return ASSIGNMENTS.get(
        db,
        role_id=wanted.role_id,
        user_id=wanted.user_id,
        target=wanted.target,
        target_id=wanted.target_id,
        inherited=wanted.inherited,
    )


def add_assignment(call: Call) -> Reply:
    ASSIGNMENTS.put(call.db, _assignment(call))
    return Reply(204)


def check_assignment(call: Call) -> Reply:
    wanted = _assignment(call)
    if _find(call.db, wanted) is None:
        raise missing("role", wanted.role_id)
    return Reply(204)


def remove_assignment(call: Call) -> Reply:
    wanted = _assignment(call)
    found = _find(call.db, wanted)
    if found is None:
        raise missing("role", wanted.role_id)
    ASSIGNMENTS.delete(
        call.db,
        role_id=found.role_id,
        user_id=found.user_id,
        target=found.target,
        target_id=found.target_id,
        inherited=found.inherited,
    )
    return Reply(204)


def list_user_roles(call: Call) -> Reply:
    """The roles assigned directly on one target."""
    target = "project" if "project_id" in call.params else "domain"
    found = ASSIGNMENTS.find(
        call.db,
        user_id=call.params["user_id"],
        target=target,
        target_id=call.params[f"{target}_id"],
        inherited=False,
    )
    roles = ROLES.find(call.db, id=[assignment.role_id for assignment in found])
    return Reply(body={"roles": [_view(role) for role in roles], "links": {}})


def _effective(db: Database, user_id: str | None) -> list[Assignment]:
    """Every role on every project, with inheritance and implication worked out."""
    users = USERS.find(db, id=user_id) if user_id else USERS.find(db)
    return [
        Assignment(
            role_id=role.id,
            user_id=user.id,
            target="project",
            target_id=project.id,
            inherited=False,
        )
        for user in users
        for project in projects_of(db, user.id)
        for role in project_roles(db, user.id, project)
    ]


def _assignment_view(db: Database, assignment: Assignment, names: bool) -> Json:
    tables = {"user": USERS, "role": ROLES, "project": PROJECTS, "domain": DOMAINS}

    def entity(kind: str, entity_id: str) -> Json:
        view: Json = {"id": entity_id}
        found = tables[kind].get(db, id=entity_id)  # type: ignore[attr-defined]
        if names and found is not None:
            view["name"] = found.name
            if kind in ("user", "project"):
                domain = DOMAINS.get(db, id=found.domain_id)
                view["domain"] = {"id": found.domain_id, "name": domain.name if domain else ""}
        return view

    scope: Json = {assignment.target: entity(assignment.target, assignment.target_id)}
    if assignment.inherited:
        scope["OS-INHERIT:inherited_to"] = "projects"
    return {
        "role": entity("role", assignment.role_id),
        "user": entity("user", assignment.user_id),
        "scope": scope,
        "links": {},
    }


def list_assignments(call: Call) -> Reply:
    user_id = call.query.get("user.id")
    if not call.caller.is_admin and user_id != call.caller.user_id:
        raise forbid("identity:list_role_assignments")
    effective = call.flag("effective")
    found = _effective(call.db, user_id) if effective else ASSIGNMENTS.find(call.db)
    wanted = {
        "user_id": user_id,
        "role_id": call.query.get("role.id"),
        "target_id": call.query.get("scope.project.id") or call.query.get("scope.domain.id"),
    }
    views = [
        _assignment_view(call.db, assignment, call.flag("include_names"))
        for assignment in found
        if all(value in (None, getattr(assignment, key)) for key, value in wanted.items())
    ]
    return Reply(body={"role_assignments": views, "links": {}})


def _assignment_routes() -> list[Route]:
    routes = []
    for base in ("/v3", "/v3/OS-INHERIT"):
        for target in ("projects/{project_id}", "domains/{domain_id}"):
            path = f"{base}/{target}/users/{{user_id}}/roles/{{role_id}}"
            path += "/inherited_to_projects" if "INHERIT" in base else ""
            routes += [
                Route("PUT", path, add_assignment, Access.ADMIN, "identity:create_grant"),
                Route("GET", path, check_assignment, Access.ADMIN, "identity:check_grant"),
                Route("DELETE", path, remove_assignment, Access.ADMIN, "identity:revoke_grant"),
            ]
    return routes


ROUTES = [
    Route("GET", "/v3/roles", list_roles, Access.ADMIN, "identity:list_roles"),
    Route("POST", "/v3/roles", create_role, Access.ADMIN, "identity:create_role"),
    Route("GET", "/v3/roles/{role_id}", show_role, Access.ADMIN, "identity:get_role"),
    Route("GET", "/v3/role_assignments", list_assignments, Access.TOKEN),
    *(
        Route(
            "GET",
            f"/v3/{target}/users/{{user_id}}/roles",
            list_user_roles,
            Access.ADMIN,
            "identity:list_grants",
        )
        for target in ("projects/{project_id}", "domains/{domain_id}")
    ),
    *_assignment_routes(),
]
