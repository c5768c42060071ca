"""What is not offered for clusters of the legacy provisioner."""

from __future__ import annotations

from typing import Protocol

from vks.service.api.problems import FieldProblem, invalid


class _Pool(Protocol):
    @property
    def user_script(self) -> object | None: ...
    @property
    def autoscaling(self) -> object | None: ...
    @property
    def static_ip(self) -> object | None: ...


def refuse_unoffered(provisioner: str | None, prefix: str, pool: _Pool) -> None:
    """Raises Problem that names the fields (below `prefix`) which this provisioner would ignore."""
    if provisioner != "legacy":
        return
    asked = {
        "userScript": pool.user_script,
        "autoscaling": pool.autoscaling,
        "staticIP": pool.static_ip,
    }
    errors = [
        FieldProblem(field=f"{prefix}{name}", message="is not offered for this cluster")
        for name, value in asked.items()
        if value is not None
    ]
    if errors:
        raise invalid(errors)
