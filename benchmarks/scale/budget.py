"""How long things may take: one operation, and all of them together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Budget:
    """Both in seconds. What has begun is cut when its own time or everybody's is over; what has
    not begun by then is left out."""

    operation: float
    total: float
    began: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds that an operation may take which begins now; not above 0 when none may."""
        return min(self.operation, self.began + self.total - time.monotonic())
