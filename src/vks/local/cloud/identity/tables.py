"""What Keystone remembers."""

from __future__ import annotations

from vks.local.cloud.core.table import Row, Table


class Domain(Row, frozen=True, kw_only=True):
    id: str
    name: str
    description: str = ""
    enabled: bool = True


class Project(Row, frozen=True, kw_only=True):
    id: str
    name: str
    domain_id: str
    parent_id: str
    description: str = ""
    enabled: bool = True
    tags: list[str] = []


class User(Row, frozen=True, kw_only=True):
    id: str
    name: str
    domain_id: str
    password_hash: str
    enabled: bool = True
    default_project_id: str | None = None
    email: str | None = None
    description: str | None = None


class Role(Row, frozen=True, kw_only=True):
    id: str
    name: str
    description: str | None = None


class Assignment(Row, frozen=True, kw_only=True):
    """A role of a user on a project or domain; inherited: on the projects below it instead."""

    role_id: str
    user_id: str
    target: str  # "project" or "domain"
    target_id: str
    inherited: bool


class ApplicationCredential(Row, frozen=True, kw_only=True):
    id: str
    name: str
    user_id: str
    project_id: str
    secret_hash: str
    description: str | None
    expires_at: str | None
    unrestricted: bool
    roles: list[str]


class Token(Row, frozen=True, kw_only=True):
    """`digest` is the SHA-256 of the token: who reads the database cannot act with it."""

    digest: str
    user_id: str
    project_id: str | None
    domain_id: str | None
    methods: list[str]
    audit_id: str
    issued_at: str
    expires_at: str
    application_credential_id: str | None


DOMAINS = Table("domains", Domain, constraints=("UNIQUE (name)",))
PROJECTS = Table("projects", Project, constraints=("UNIQUE (domain_id, name)",))
USERS = Table("users", User, constraints=("UNIQUE (domain_id, name)",))
ROLES = Table("roles", Role, constraints=("UNIQUE (name)",))
ASSIGNMENTS = Table(
    "assignments", Assignment, key=("role_id", "user_id", "target", "target_id", "inherited")
)
APPLICATION_CREDENTIALS = Table(
    "application_credentials",
    ApplicationCredential,
    constraints=("UNIQUE (user_id, name)",),
)
TOKENS = Table("tokens", Token, key=("digest",), indexes=("expires_at", "user_id"))

IDENTITY_TABLES = (
    DOMAINS,
    PROJECTS,
    USERS,
    ROLES,
    ASSIGNMENTS,
    APPLICATION_CREDENTIALS,
    TOKENS,
)
