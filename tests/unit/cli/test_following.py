"""Following an operation: its steps as they happen, streams that end early, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from vks.cli import following
from vks.cli.api import Api
from vks.cli.errors import DENIED, FAILED, TIMED_OUT, UNAVAILABLE, CliError
from vks.cli.following import finish


class Stream:
    """An Api whose watches give what the test says: states, silences (None), errors."""

    def __init__(self, *watches: list[Any]) -> None:
        self._watches = list(watches)
        self.opened = 0

    def path(self, *parts: str) -> str:
        return "/".join(parts)

    def watch(self, path: str) -> Iterator[dict[str, Any] | None]:
        self.opened += 1
        for item in self._watches.pop(0):
            if isinstance(item, CliError):
                raise item
            yield item


class Notes:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Any]:
        self.lines.append(f"begin {title}")
        yield self
        self.lines.append(f"end {title}")

    def detail(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def advance(self, done: int, total: int) -> None:
        raise AssertionError("operations have no numbers of their own")

    def note(self, text: str) -> None:
        self.lines.append(f"note {text}")


class Clock:
    """Every look at it takes a second."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 1.0
        return self._now


def state(phase: str = "Running", **steps: tuple[str, str]) -> dict[str, Any]:
    return {
        "id": "op-1",
        "type": "CreateCluster",
        "phase": phase,
        "steps": [
            {"name": name, "state": state, "message": message}
            for name, (state, message) in steps.items()
        ],
        "error": None,
    }


def follow(api: Stream, notes: Notes, timeout: float = 1000.0) -> dict[str, Any]:
    return finish(
        cast(Api, api), state(), wait=True, timeout=timeout, clock=Clock(), progress=notes
    )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_RECONNECT_SECONDS", 0.0)


def test_steps_are_shown_as_they_begin_and_end() -> None:
    notes = Notes()
    stream = Stream(
        [
            state(Network=("Running", "no router yet"), Workers=("Waiting", "")),
            state(Network=("Done", ""), Workers=("Running", "0/3 ready")),
            None,
            state("Succeeded", Network=("Done", ""), Workers=("Done", "3/3 ready")),
        ]
    )
    assert follow(stream, notes)["phase"] == "Succeeded"
    assert notes.lines == [
        "begin Network",
        "  no router yet",
        "  ",
        "end Network",
        "begin Workers",
        "  0/3 ready",
        "  3/3 ready",
        "end Workers",
    ]


def test_a_stream_that_ends_early_is_opened_again() -> None:
    notes = Notes()
    stream = Stream(
        [state()],
        [CliError("cannot reach it", UNAVAILABLE)],
        [state("Succeeded")],
    )
    follow(stream, notes)
    assert stream.opened == 3
    assert notes.lines == ["note cannot reach it"]


def test_a_refusal_is_not_repeated() -> None:
    stream = Stream([CliError("not yours", DENIED)])
    with pytest.raises(CliError) as refused:
        follow(stream, Notes())
    assert refused.value.exit_code == DENIED


def test_a_failed_operation_says_why_with_the_console() -> None:
    failed = state("Failed") | {
        "error": {"code": "NodeStartupTimeout", "message": "w-1: no Node", "details": "a\nb"}
    }
    with pytest.raises(CliError) as failure:
        follow(Stream([failed]), Notes())
    assert failure.value.exit_code == FAILED
    assert failure.value.lines() == [
        "Error: CreateCluster failed: w-1: no Node (NodeStartupTimeout)",
        "  a",
        "  b",
    ]


def test_patience_ends_and_says_how_to_go_on() -> None:
    stream = Stream([state(), None, None, None])
    with pytest.raises(CliError) as over:
        follow(stream, Notes(), timeout=3.0)
    assert over.value.exit_code == TIMED_OUT
    assert "`vks operation wait op-1`" in str(over.value)


def test_without_waiting_nothing_is_asked() -> None:
    stream = Stream()
    answer = finish(cast(Api, stream), state(), wait=False, timeout=1.0)
    assert (answer["phase"], stream.opened) == ("Running", 0)
