from pathlib import Path

import pytest

from vks.local.commands import CommandError, run_logged
from vks.local.progress import SilentProgress


class Recorder:
    def __init__(self) -> None:
        self.details: list[str] = []

    def detail(self, text: str) -> None:
        self.details.append(text.strip())

    def advance(self, done: int, total: int) -> None:
        raise AssertionError("a command does not know how far it is")


def test_output_goes_to_the_log_and_to_the_step(tmp_path: Path) -> None:
    step, log = Recorder(), tmp_path / "logs" / "x.log"
    run_logged(["sh", "-c", "echo one; echo two >&2"], step, log)
    assert log.read_text() == "one\ntwo\n"
    assert step.details == ["one", "two"]


def test_a_failure_carries_the_exit_code_and_the_end_of_the_output(tmp_path: Path) -> None:
    with (
        SilentProgress().step("x") as step,
        pytest.raises(CommandError, match=r"exited with 3(.|\n)*it broke"),
    ):
        run_logged(["sh", "-c", "echo it broke; exit 3"], step, tmp_path / "x.log")


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        SilentProgress().step("x") as step,
        pytest.raises(CommandError, match="no-such-program is not installed"),
    ):
        run_logged(["no-such-program"], step, tmp_path / "x.log")
