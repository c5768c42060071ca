"""Which changes concern which Machine; the keys are those of their VerdaMachines."""

from __future__ import annotations

from vks.provider.changes import infrastructure_key_of
from vks.provider.machine.reconciler import MachineAnnotator
from vks.provider.wiring import Wiring
from vks.resources.clusterapi import Machine
from vks.resources.verdamachine import VerdaMachine


def add_machine_annotator(wiring: Wiring) -> None:
    annotator = MachineAnnotator(wiring.client, wiring.stores, wiring.accounts, wiring.clock)
    wiring.add(
        "machine",
        annotator.reconcile,
        wiring.watch(VerdaMachine),
        wiring.watch(Machine, infrastructure_key_of),
    )
