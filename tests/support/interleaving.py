"""Coroutines that stop at every call to the outside, so that a test decides what happens when.

A call is performed when its task is advanced. A task that is killed meanwhile has a call under
way that is either lost or arrives later, when nobody waits for its answer any more.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Call:
    """One request on its way."""

    def __init__(self, perform: Callable[[], Any]) -> None:
        self._perform = perform
        self._result: Any = None
        self._error: Exception | None = None

    def arrive(self) -> None:
        """The other side performs it."""
        try:
            self._result = self._perform()
        except Exception as error:
            self._error = error

    def answer(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


@types.coroutine
def _wait(call: Call) -> Generator[Call, None, None]:
    yield call


async def outside(perform: Callable[[], T]) -> T:
    """Perform something outside of this process."""
    call = Call(perform)
    await _wait(call)
    answer: T = call.answer()
    return answer


class Task:
    """A coroutine between two calls. `failure` is what it raised, None while it runs or is done."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self.call: Call | None = None
        self.failure: Exception | None = None
        self._resume()

    @property
    def ended(self) -> bool:
        return self.call is None

    def advance(self) -> None:
        """Its call arrives and is answered; on to the next one."""
        assert self.call is not None
        self.call.arrive()
        self._resume()

    def kill(self) -> Call | None:
        """The end of its process; the call that was under way."""
        call, self.call = self.call, None
        self._coroutine.close()
        return call

    def _resume(self) -> None:
        try:
            self.call = self._coroutine.send(None)
        except StopIteration:
            self.call = None
        except Exception as error:
            self.call, self.failure = None, error
