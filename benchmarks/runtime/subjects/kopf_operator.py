"""The same operator for kopf; run by `kopf run` in an environment of its own."""

from __future__ import annotations

from typing import Any

import kopf

GROUP, VERSION, PLURAL = "bench.vks.verda", "v1", "widgets"


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.persistence.finalizer = "bench.vks.verda/widget"
    settings.posting.enabled = False  # neither of the others writes an Event per reconcile


@kopf.on.create(GROUP, VERSION, PLURAL)
@kopf.on.update(GROUP, VERSION, PLURAL)
async def observe(meta: kopf.Meta, patch: kopf.Patch, **_: Any) -> None:
    patch.status["observedGeneration"] = meta["generation"]


@kopf.on.delete(GROUP, VERSION, PLURAL)
async def clean_up(**_: Any) -> None:
    """That there is one makes kopf put a finalizer on the objects."""
