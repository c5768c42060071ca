"""The running cloud: what every handler can reach."""

from __future__ import annotations

from dataclasses import dataclass, field

from vks.local.cloud.backends import BalancerBackend
from vks.local.cloud.core.database import Database
from vks.local.cloud.core.settings import Settings
from vks.local.cloud.faults.limits import CallCounter, RateLimit
from vks.local.cloud.faults.rules import FaultRules
from vks.local.cloud.work.work import Work
from vks.local.servers import ServerBackend


@dataclass(frozen=True)
class Cloud:
    """Put together by `app.build`."""

    db: Database
    settings: Settings
    servers: ServerBackend
    balancers: BalancerBackend
    faults: FaultRules
    work: Work
    rate_limit: RateLimit = field(default_factory=RateLimit)
    calls: CallCounter = field(default_factory=CallCounter)
