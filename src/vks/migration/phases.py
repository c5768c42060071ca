"""The phases of a migration after the plan, in their order."""

from __future__ import annotations

from vks.migration.adopt.handover import HandOver
from vks.migration.adopt.introduce import Introduce
from vks.migration.adopt.keys import Keys
from vks.migration.adopt.release import Release
from vks.migration.adopt.resume import Resume
from vks.migration.adopt.settle import Settle
from vks.migration.convert.letgo import LetGo
from vks.migration.convert.replace import Replace
from vks.migration.convert.tokens import SignTokens
from vks.migration.finalize.credentials import Credentials
from vks.migration.finalize.farewell import Farewell, NoNodesLeft
from vks.migration.finalize.ownership import OwnForGood
from vks.migration.finalize.proof import Prove
from vks.migration.prepare import STEPS as PREPARE_STEPS
from vks.migration.run.phase import Phase

PREPARE = Phase("Prepare", "Preparing", "Prepared", PREPARE_STEPS, kept=True)
ADOPT = Phase(
    "Adopt",
    "Adopting",
    "Adopted",
    (Release(), Keys(), HandOver(), Introduce(), Resume(), LetGo(), Settle()),
    kept=True,
)
CONVERT = Phase("Convert", "Converting", "Converted", (LetGo(), SignTokens(), Replace()))
FINALIZE = Phase(
    "Finalize",
    "Finalizing",
    "Finalized",
    (NoNodesLeft(), Credentials(), Prove(), OwnForGood(), Farewell()),
    ends=True,
)

PHASES = (PREPARE, ADOPT, CONVERT, FINALIZE)
