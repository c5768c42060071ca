"""What is wrong with a request, collected before anything is done."""

from __future__ import annotations

from vks.service.api.problems import FieldProblem, Problem, invalid


class Findings:
    """Collects what is wrong. Unknown ids of the project's own things make the answer a 404."""

    def __init__(self) -> None:
        self.invalid: list[FieldProblem] = []
        self.missing: list[FieldProblem] = []
        self.quota: list[FieldProblem] = []

    def bad(self, field: str, message: str) -> None:
        self.invalid.append(FieldProblem(field=field, message=message))

    def unknown(self, field: str, message: str) -> None:
        self.missing.append(FieldProblem(field=field, message=message))

    def settle(self) -> None:
        """Raises Problem when there are findings."""
        if self.invalid:
            raise invalid([*self.invalid, *self.missing])
        if self.missing:
            raise Problem(
                "reference_not_found", "a referenced object was not found", errors=self.missing
            )
        if self.quota:
            raise Problem("quota_exceeded", "the project's quota is too small", errors=self.quota)
