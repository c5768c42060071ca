"""Tokens: opaque, kept as a digest, judged anew each time they are shown.

A token stores who it is for and what it is scoped to; roles are looked up when it is used, so
that a removed role, user, project or application credential takes effect at once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import micros, now
from vks.local.cloud.http.call import Caller
from vks.local.cloud.identity.access import domain_roles, project_roles
from vks.local.cloud.identity.secrets import digest
from vks.local.cloud.identity.tables import (
    APPLICATION_CREDENTIALS,
    DOMAINS,
    PROJECTS,
    TOKENS,
    USERS,
    ApplicationCredential,
    Domain,
    Project,
    Role,
    Token,
    User,
)


@dataclass(frozen=True)
class Grant:
    """A valid token with everything that it stands for."""

    token: Token
    user: User
    project: Project | None
    domain: Domain | None
    roles: list[Role]
    credential: ApplicationCredential | None

    def caller(self) -> Caller:
        return Caller(
            token_id=self.token.digest,
            user_id=self.user.id,
            user_name=self.user.name,
            domain_id=self.user.domain_id,
            project_id=self.project.id if self.project else None,
            project_name=self.project.name if self.project else None,
            roles=frozenset(role.name for role in self.roles),
            application_credential_id=self.credential.id if self.credential else None,
            unrestricted=self.credential.unrestricted if self.credential else True,
            expires_at=self.token.expires_at,
        )


@dataclass(frozen=True)
class Scope:
    project_id: str | None = None
    domain_id: str | None = None


def issue(
    db: Database,
    user: User,
    scope: Scope,
    methods: list[str],
    lifetime: float,
    credential: ApplicationCredential | None = None,
    not_after: str | None = None,
) -> tuple[str, Grant] | None:
    """A new token, or None when it would give no access to its scope.

    `lifetime` in seconds; `not_after` caps it, as a token made from a token lives no longer.
    """
    issued = now()
    expires = micros(issued + timedelta(seconds=lifetime))
    limits = [limit for limit in (not_after, credential and credential.expires_at) if limit]
    secret = secrets.token_urlsafe(60)
    token = Token(
        digest=digest(secret),
        user_id=user.id,
        project_id=scope.project_id,
        domain_id=scope.domain_id,
        methods=methods,
        audit_id=secrets.token_urlsafe(16),
        issued_at=micros(issued),
        expires_at=min([expires, *limits]),
        application_credential_id=credential.id if credential else None,
    )
    grant = _grant(db, token)
    if grant is None:
        return None
    db.execute("DELETE FROM tokens WHERE expires_at < ?", [micros(issued)])
    TOKENS.insert(db, token)
    return secret, grant


def judge(db: Database, secret: str) -> Grant | None:
    """What the token grants now; None for an unknown, expired or emptied one."""
    token = TOKENS.get(db, digest=digest(secret))
    if token is None or token.expires_at <= micros():
        return None
    return _grant(db, token)


def revoke(db: Database, **where: str) -> None:
    """Forget the tokens of a digest, user, project or application credential."""
    TOKENS.delete(db, **where)


def _grant(db: Database, token: Token) -> Grant | None:
    user = USERS.get(db, id=token.user_id)
    if user is None or not user.enabled:
        return None
    credential = None
    if token.application_credential_id:
        credential = APPLICATION_CREDENTIALS.get(db, id=token.application_credential_id)
        if credential is None or (credential.expires_at and credential.expires_at <= micros()):
            return None
    if token.domain_id:
        domain = DOMAINS.get(db, id=token.domain_id)
        roles = domain_roles(db, user.id, token.domain_id)
        return Grant(token, user, None, domain, roles, credential) if domain and roles else None
    if token.project_id is None:
        return Grant(token, user, None, None, [], credential)
    project = PROJECTS.get(db, id=token.project_id)
    if project is None or not project.enabled:
        return None
    roles = project_roles(db, user.id, project)
    if credential:
        roles = [role for role in roles if role.name in credential.roles]
    return Grant(token, user, project, None, roles, credential) if roles else None
