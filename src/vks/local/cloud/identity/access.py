"""Which roles a user has where: direct, inherited and implied ones."""

from __future__ import annotations

from vks.local.cloud.core.database import Database
from vks.local.cloud.identity.tables import ASSIGNMENTS, PROJECTS, ROLES, Project, Role

#: As `keystone-manage bootstrap` sets it up.
IMPLIED: dict[str, tuple[str, ...]] = {
    "admin": ("manager", "member", "reader"),
    "manager": ("member", "reader"),
    "member": ("reader",),
}


def project_roles(db: Database, user_id: str, project: Project) -> list[Role]:
    """The roles that a token of the user for the project carries, implied ones included."""
    direct = ASSIGNMENTS.find(
        db, user_id=user_id, target="project", target_id=project.id, inherited=False
    )
    inherited = ASSIGNMENTS.find(
        db, user_id=user_id, target_id=[project.domain_id, *ancestors(db, project)], inherited=True
    )
    return _expand(db, {assignment.role_id for assignment in [*direct, *inherited]})


def domain_roles(db: Database, user_id: str, domain_id: str) -> list[Role]:
    direct = ASSIGNMENTS.find(
        db, user_id=user_id, target="domain", target_id=domain_id, inherited=False
    )
    return _expand(db, {assignment.role_id for assignment in direct})


def ancestors(db: Database, project: Project) -> list[str]:
    """The ids of the projects above this one, nearest first."""
    found: list[str] = []
    parent = PROJECTS.get(db, id=project.parent_id)
    while parent is not None and parent.id not in found:
        found.append(parent.id)
        parent = PROJECTS.get(db, id=parent.parent_id)
    return found


def projects_of(db: Database, user_id: str) -> list[Project]:
    """The enabled projects that the user can get a token for."""
    return [
        project
        for project in PROJECTS.find(db, order="name")
        if project.enabled and project_roles(db, user_id, project)
    ]


def _expand(db: Database, role_ids: set[str]) -> list[Role]:
    roles = ROLES.find(db)
    names = {role.name for role in roles if role.id in role_ids}
    for name in tuple(names):
        names.update(IMPLIED.get(name, ()))
    return [role for role in roles if role.name in names]
