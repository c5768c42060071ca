"""Which changes concern which VerdaMachineTemplate."""

from __future__ import annotations

from vks.provider.verdamachinetemplate.reconciler import TemplateReconciler
from vks.provider.wiring import Wiring
from vks.resources.verdamachine import VerdaMachineTemplate


def add_templates(wiring: Wiring) -> None:
    reconciler = TemplateReconciler(wiring.client, wiring.stores, wiring.accounts)
    wiring.add(
        "verdamachinetemplate",
        reconciler.reconcile,
        wiring.watch(VerdaMachineTemplate),
        workers=2,
    )
