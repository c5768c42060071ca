"""Failures that a user sees, with the exit codes that `vks --help` documents."""

from __future__ import annotations

FAILED = 1
USAGE = 2
NOT_FOUND = 3
DENIED = 4
UNAVAILABLE = 5
REFUSED = 6
TIMED_OUT = 7


class CliError(Exception):
    """One line for the user, then one per field that is wrong."""

    def __init__(
        self, message: str, exit_code: int = FAILED, details: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.details = details

    def lines(self) -> list[str]:
        return [f"Error: {self}", *(f"  {detail}" for detail in self.details)]
