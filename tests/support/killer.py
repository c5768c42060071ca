"""Ends a region's programs by SIGKILL at moments that a seed chose."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.localregion import LocalRegion

#: Seconds between two kills.
_GAPS = (0.3, 3.5)


class Killer:
    """`kills` counts by program; each has its turn before one has another. The supervisor is one
    of them: it is started again as people would do it, by `vks up`; everything else is the
    supervisor's to restart."""

    def __init__(self, region: LocalRegion, seed: int) -> None:
        self._region = region
        self._random = random.Random(seed)
        self._turn: list[str] = []
        self.kills: Counter[str] = Counter()

    @contextmanager
    def killing(self, times: int) -> Iterator[None]:
        """Kills that often, beside what the block does; its end waits for the last one."""
        failures: list[Exception] = []

        def run() -> None:
            try:
                for _ in range(times):
                    time.sleep(self._random.uniform(*_GAPS))
                    self._kill_one()
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=run, name="killer")
        thread.start()
        try:
            yield
        finally:
            thread.join()
        if failures:
            raise failures[0]

    def _kill_one(self) -> None:
        while True:
            running = self._region.processes()
            if not self._turn:
                self._turn = sorted(running)
                self._random.shuffle(self._turn)
            name = self._turn.pop()
            if name in running and self._region.kill(running[name]):
                break
        self.kills[name] += 1
        if name == "supervisor":
            self._region.up()
