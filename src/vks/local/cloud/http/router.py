"""Which handler answers a request."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from vks.local.cloud.http.call import Access, Call, Reply
from vks.local.cloud.http.errors import ApiError, not_found

#: A plain handler runs inside one transaction; a coroutine brackets its own.
Handler = Callable[[Call], Reply] | Callable[[Call], Awaitable[Reply]]

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Route:
    """`path` is relative to the service's prefix; `{name}` matches one segment."""

    method: str
    path: str
    handler: Handler
    access: Access = Access.READER
    action: str = ""
    minimum: int = 1  # Nova: the first microversion 2.N that has this route
    maximum: int = 10_000
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pattern = _PLACEHOLDER.sub(r"(?P<\1>[^/]+)", self.path)
        object.__setattr__(self, "pattern", re.compile(pattern + r"/?(?:\.json)?"))


@dataclass(frozen=True)
class Service:
    """One API of the cloud below one path prefix."""

    name: str
    prefix: str
    routes: Sequence[Route]
    render: Callable[[ApiError], Any]
    forbid: Callable[[str], ApiError]
    media_type: str = "application/json"

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Raises ApiError 404 for an unknown path, 405 for a path without that method."""
        others: set[str] = set()
        for route in self.routes:
            found = route.pattern.fullmatch(path)
            if found is None:
                continue
            if route.method == method or (method == "HEAD" and route.method == "GET"):
                return route, found.groupdict()
            others.add(route.method)
        if others:
            raise ApiError(
                405,
                f"The method {method} is not allowed for this resource.",
                headers={"Allow": ", ".join(sorted(others))},
            )
        raise not_found("The resource could not be found.")
