"""Shows an operation's steps as they happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from vks.cli.api import Api
from vks.cli.errors import FAILED, TIMED_OUT, UNAVAILABLE, CliError
from vks.local.progress import Progress, Step, terminal_progress

ENDED = ("Succeeded", "Failed")
_RECONNECT_SECONDS = 1.0


def finish(
    api: Api,
    operation: dict[str, Any],
    *,
    wait: bool,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Follows the operation to its end when `wait`; returns its last state.

    Raises CliError when it fails, or does not end within `timeout` seconds.
    """
    if not wait:
        return operation
    last = follow(api, operation["id"], clock() + timeout, clock, progress or terminal_progress())
    if last["phase"] == "Failed":
        raise failure(last)
    return last


def failure(operation: dict[str, Any]) -> CliError:
    """What went wrong, with the end of a console log when there is one."""
    error = operation.get("error") or {"code": "Unknown", "message": "no reason was given"}
    details = tuple((error.get("details") or "").splitlines())
    return CliError(
        f"{operation['type']} failed: {error['message']} ({error['code']})", FAILED, details
    )


def follow(
    api: Api, identity: str, deadline: float, clock: Callable[[], float], progress: Progress
) -> dict[str, Any]:
    """Watches; a stream that ends early (a restarted service) is opened again."""
    path = api.path("operations", identity)
    with _Steps(progress) as steps:
        while True:
            try:
                for state in api.watch(path):
                    if state is not None:
                        steps.show(state)
                        if state["phase"] in ENDED:
                            return state
                    if clock() > deadline:
                        break
            except CliError as error:
                if error.exit_code != UNAVAILABLE:
                    raise
                progress.note(str(error))
            if clock() > deadline:
                raise CliError(
                    f"operation {identity} goes on; follow it by `vks operation wait {identity}`",
                    TIMED_OUT,
                )
            time.sleep(_RECONNECT_SECONDS)


class _Steps:
    """One progress step per step of the operation that runs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._open: dict[str, tuple[ExitStack, Step]] = {}
        self._closed: set[str] = set()

    def __enter__(self) -> _Steps:
        return self

    def __exit__(self, *_: object) -> None:
        for stack, _step in self._open.values():
            stack.close()

    def show(self, operation: dict[str, Any]) -> None:
        for step in operation.get("steps", ()):
            name, state = step["name"], step["state"]
            if name in self._closed or state == "Waiting":
                continue
            if name not in self._open:
                stack = ExitStack()
                self._open[name] = (stack, stack.enter_context(self._progress.step(name)))
            stack, shown = self._open[name]
            shown.detail(step.get("message") or "")
            if state in ("Done", "Failed"):
                self._closed.add(name)
                del self._open[name]
                stack.close()
