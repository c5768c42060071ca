"""One request as the handlers see it, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from multidict import MultiMapping

from vks.local.cloud.core.database import Database

if TYPE_CHECKING:
    from vks.local.cloud.cloud import Cloud

Json = dict[str, Any]


class Access(IntEnum):
    """Who may call a route. The roles imply each other downwards, as Keystone's defaults do."""

    PUBLIC = 0
    TOKEN = 1  # any valid token, scoped or not
    READER = 2
    MEMBER = 3
    ADMIN = 4


@dataclass(frozen=True)
class Caller:
    """Whose token came with the request, and what it is scoped to."""

    token_id: str
    user_id: str
    user_name: str
    domain_id: str
    project_id: str | None
    project_name: str | None
    roles: frozenset[str]
    application_credential_id: str | None = None
    unrestricted: bool = True
    expires_at: str = ""

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    @property
    def access(self) -> Access:
        if "admin" in self.roles:
            return Access.ADMIN
        if "member" in self.roles:
            return Access.MEMBER
        return Access.READER if "reader" in self.roles else Access.TOKEN

    @property
    def project(self) -> str:
        """The project's id. Routes that need one are refused before their handler runs."""
        return self.project_id or ""


ANONYMOUS = Caller("", "", "", "", None, None, frozenset())


@dataclass(frozen=True)
class Call:
    """A request that was authenticated, routed and decoded."""

    cloud: Cloud
    method: str
    path: str
    base_url: str
    params: Mapping[str, str]
    query: MultiMapping[str]
    headers: Mapping[str, str]
    body: Any
    caller: Caller = ANONYMOUS
    version: tuple[int, int] = (2, 1)

    @property
    def db(self) -> Database:
        return self.cloud.db

    def at_least(self, minor: int) -> bool:
        """Whether the request negotiated Nova's microversion 2.`minor` or a later one."""
        return self.version >= (2, minor)

    def flag(self, name: str) -> bool:
        """A boolean query parameter; present but empty counts as true."""
        value = self.query.get(name)
        return value is not None and value.lower() in ("", "1", "true", "yes", "on", "t", "y")


@dataclass(frozen=True)
class Reply:
    """An answer; `body` is JSON unless it is None (empty) or text."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
