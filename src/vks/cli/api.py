"""The REST API as the commands use it: JSON in and out, problems become CliErrors."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from vks.cli import errors
from vks.cli.errors import CliError
from vks.cli.http import Answer, Origin, events
from vks.cli.session import Session

_EXIT_CODES = {
    401: errors.DENIED, 403: errors.DENIED, 404: errors.NOT_FOUND, 409: errors.REFUSED,
    412: errors.REFUSED, 400: errors.USAGE, 413: errors.USAGE, 422: errors.USAGE,
    429: errors.UNAVAILABLE,
}  # fmt: skip


class Api:
    """Calls the REST API with one session, below one project."""

    def __init__(self, session: Session, project: str | None = None) -> None:
        self._origin = Origin(session.endpoint, session.cacert)
        self._headers = {"X-Auth-Token": session.token, "Accept": "application/json"}
        self.project = project or session.project
        self.region = session.region

    def path(self, *parts: str) -> str:
        """A path below the project."""
        return "/".join(
            ["/v1/projects", *(quote(part, safe="") for part in (self.project, *parts))]
        )

    def get(self, path: str) -> dict[str, Any]:
        return self._call("GET", path)

    def list(self, path: str, **parameters: str) -> dict[str, Any]:
        """All pages of a list."""
        items: list[Any] = []
        given = {**parameters, "limit": "500"}
        while True:
            page = self._call("GET", f"{path}?{urlencode(given)}")
            items += page["items"]
            if not page.get("continue"):
                return {"items": items}
            given["continue"] = page["continue"]

    def change(
        self, method: str, path: str, body: Any = None, *, if_match: str | None = None
    ) -> dict[str, Any]:
        """POST, PATCH or DELETE. One idempotency key per command: a retry cannot do it twice.
        With `if_match` the change is refused when the resource is no longer the one of that etag.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        if if_match is not None:
            headers["If-Match"] = if_match
        return self._call(method, path, body, headers)

    def plan(self, path: str, body: Any) -> dict[str, Any]:
        """What a PATCH would do."""
        return self._call("PATCH", f"{path}?dryRun=true", body)

    def watch(self, path: str) -> Iterator[dict[str, Any] | None]:
        """The resource at every change, until the server ends the stream.

        None when nothing changed for a while (15 s), so that a caller can give up.
        """
        headers = {**self._headers, "Accept": "text/event-stream"}
        for _, data in events(_text(self._origin.lines(f"{path}?watch=1", headers))):
            yield json.loads(data) if data else None

    def _call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        answer = self._origin.call(method, path, {**self._headers, **(headers or {})}, body)
        if answer.status >= 400:
            raise problem(answer)
        result: dict[str, Any] = answer.json() if answer.body else {}
        return result


def _text(lines: Iterator[str | Answer]) -> Iterator[str]:
    for line in lines:
        if isinstance(line, Answer):
            raise problem(line)
        yield line


def problem(answer: Answer) -> CliError:
    """An RFC 9457 document as one line, and one more per field."""
    try:
        document = json.loads(answer.body)
        detail = document.get("detail") or document.get("title") or ""
        code, wrong = document.get("code", ""), document.get("errors") or []
    except (ValueError, AttributeError):
        return CliError(f"the service answers {answer.status}", errors.UNAVAILABLE)
    exit_code = _EXIT_CODES.get(answer.status, errors.UNAVAILABLE)
    if code == "quota_exceeded":
        exit_code = errors.REFUSED
    fields = tuple(f"{e.get('field', '')}: {e.get('message', '')}" for e in wrong)
    return CliError(f"{detail} ({code})" if code else detail, exit_code, fields)
