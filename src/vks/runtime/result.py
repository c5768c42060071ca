# ruff: noqa: N818 - Waiting is no error; the three are one family
"""What a reconcile comes back with: a result, or an error that says what to do next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """`requeue_after` in seconds: look again then, whatever happens before. None: at the next
    change."""

    requeue_after: float | None = None


DONE = Result()


class ReconcileError(Exception):
    """Base of the errors that a reconciler raises on purpose. `reason` is CamelCase and goes
    into Conditions, Events and metric labels."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason
        self.message = message


class Transient(ReconcileError):
    """Worth another try: after `retry_after` seconds, else with per-key back-off."""

    def __init__(self, reason: str, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after


class Terminal(ReconcileError):
    """No retry will help; the object has to change first."""


class Waiting(ReconcileError):
    """Not an error: something else has to happen first. `poll` in seconds is for what nobody
    will tell us about; None relies on a watch."""

    def __init__(self, reason: str, message: str = "", poll: float | None = None) -> None:
        super().__init__(reason, message)
        self.poll = poll
