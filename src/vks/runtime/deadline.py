"""The time limit of what one task does again and again."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from vks.kube.alarm import Alarm


class Deadline:
    """`with deadline:` ends with TimeoutError after `seconds`; for the current task, any number of
    times. `asyncio.timeout` is for once, and asks the kernel which process this is four times.
    Close it when the task ends."""

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - made by a coroutine of the task
        self.loop = asyncio.get_running_loop()
        self.expired = False
        self._task = task
        self._seconds = seconds
        self._alarm = Alarm(self.loop, self._expire)

    def __enter__(self) -> Self:
        self.expired = False
        self._alarm.set(self._seconds)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._alarm.clear()
        # Somebody else's cancellation, too, is stronger than ours.
        if self.expired and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def renew(self) -> None:
        """Within the block: it has `seconds` from now on."""
        self._alarm.set(self._seconds)

    def close(self) -> None:
        """Gives up its timer."""
        self._alarm.close()

    def _expire(self) -> None:
        self.expired = True
        self._task.cancel()
