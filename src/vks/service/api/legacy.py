"""Who may choose the legacy provisioner, and what is not offered for its clusters."""

from __future__ import annotations

from typing import Protocol

from vks.service.api.problems import FieldProblem, invalid
from vks.service.config import RegionConfig


class _Pool(Protocol):
    @property
    def user_script(self) -> object | None: ...
    @property
    def autoscaling(self) -> object | None: ...
    @property
    def root_volume(self) -> object | None: ...


def check_choice(provisioner: str | None, region: RegionConfig, *, operator: bool) -> None:
    """Raises Problem when the provisioner is not the caller's to choose, or not the region's."""
    if provisioner is not None and not operator:
        raise invalid([FieldProblem(field="provisioner", message="is for operators only")])
    if provisioner == "legacy" and not region.legacy:
        message = f"does not run in region {region.name}"
        raise invalid([FieldProblem(field="provisioner", message=message)])


def refuse_unoffered(provisioner: str | None, prefix: str, pool: _Pool) -> None:
    """Raises Problem that names the fields (below `prefix`) which this provisioner would ignore."""
    if provisioner != "legacy":
        return
    asked = {
        "userScript": pool.user_script,
        "autoscaling": pool.autoscaling,
        "rootVolume": pool.root_volume,
    }
    errors = [
        FieldProblem(field=f"{prefix}{name}", message="is not offered for this cluster")
        for name, value in asked.items()
        if value is not None
    ]
    if errors:
        raise invalid(errors)


def refuse_own_network(provisioner: str | None, cni: str) -> None:
    """Raises Problem: this provisioner's work ends with nodes that are ready."""
    if provisioner == "legacy" and cni == "none":
        message = "is not offered for this cluster"
        raise invalid([FieldProblem(field="network.cni", message=message)])
