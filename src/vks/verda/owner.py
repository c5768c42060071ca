"""How a thing in the cloud says whose it is.

The marker `vks.owner=ID` is set by the very call that creates the thing, so that there is no
moment at which it exists unmarked: a Nova tag and metadata entry, an LBaaS tag, and in Neutron the
`description` (Neutron sets tags only by a second call). Nova's server groups have neither: there
the owner is in the name. The marker is valid everywhere: at most 60 characters, no `/`, no `,`.
"""

from __future__ import annotations

PREFIX = "vks.owner="


def owner_tag(owner: str) -> str:
    """The marker of the owner with this id (a UID)."""
    return PREFIX + owner


def owner_of(tags: tuple[str, ...]) -> str | None:
    """The owner that one of these tags names."""
    return next((tag.removeprefix(PREFIX) for tag in tags if tag.startswith(PREFIX)), None)


def owned_name(name: str, owner: str) -> str:
    """A name that carries its owner, for things that cannot be tagged."""
    return f"{name}.{owner}"[-255:]
