"""Identifiers and timestamps in the shapes that OpenStack's services use."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime


def new_uuid() -> str:
    """As Nova, Neutron and Glance print theirs: with dashes."""
    return str(uuid.uuid4())


def new_hex() -> str:
    """As Keystone prints its own: without dashes."""
    return uuid.uuid4().hex


def now() -> datetime:
    return datetime.now(UTC)


def seconds(moment: datetime | None = None) -> str:
    """ISO 8601 to the second, as Nova and Neutron print it."""
    return (moment or now()).strftime("%Y-%m-%dT%H:%M:%SZ")


def micros(moment: datetime | None = None) -> str:
    """ISO 8601 with microseconds, as Keystone prints it; sorts like the moments."""
    return (moment or now()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Raises ValueError unless `text` is ISO 8601; a moment without a zone is UTC."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def is_uuid(text: str) -> bool:
    """With or without dashes, as oslo's `is_uuid_like` accepts it."""
    try:
        return str(uuid.UUID(text)).replace("-", "") == text.lower().replace("-", "")
    except (ValueError, AttributeError, TypeError):
        return False
