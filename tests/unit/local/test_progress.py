import io

import pytest

from vks.local.progress import (
    PLAIN_INTERVAL_SECONDS,
    PlainProgress,
    format_seconds,
    terminal_progress,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_step_starts_and_ends_with_a_line_that_names_the_time(clock: Clock) -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, clock)
    with progress.step("Building etcd"):
        clock.now += 65
    assert stream.getvalue().splitlines() == [
        "[   0.0s] Building etcd ...",
        "[  1m05s] Building etcd: done in 1m05s",
    ]


def test_a_step_left_by_an_exception_is_shown_as_failed(clock: Clock) -> None:
    stream = io.StringIO()
    with pytest.raises(RuntimeError, match="boom"), PlainProgress(stream, clock).step("Pull"):
        raise RuntimeError("boom")
    assert "Pull: failed after 0.0s" in stream.getvalue()


def test_details_appear_in_a_plain_log_only_now_and_then(clock: Clock) -> None:
    stream = io.StringIO()
    with PlainProgress(stream, clock).step("Build") as step:
        step.advance(1, 4)
        step.detail("too early")
        clock.now += PLAIN_INTERVAL_SECONDS
        step.detail("first\nlast line\n")
        step.detail("again too early")
    lines = stream.getvalue().splitlines()
    assert lines[1:-1] == ["[  15.0s] Build 25%: last line"]


def test_a_pipe_gets_plain_lines() -> None:
    assert isinstance(terminal_progress(io.StringIO()), PlainProgress)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (59.9, "59.9s"), (125, "2m05s"), (3720, "1h02m")]
)
def test_durations_are_short_to_read(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
