"""The phases of a migration after the plan, in their order."""

from __future__ import annotations

from vks.migration.prepare import STEPS as PREPARE_STEPS
from vks.migration.run.phase import Phase

PREPARE = Phase("Prepare", "Preparing", "Prepared", PREPARE_STEPS, kept=True)

PHASES = (PREPARE,)
