"""Tells a person what is being built or waited for, and for how long.

Code that takes longer than a second receives a `Progress` and opens a step for each thing it
does. On a terminal the open steps are drawn in place with elapsed time and percent or the
last log line; elsewhere (a CI log, a pipe) each step becomes plain lines.

    with progress.step("Building kube-apiserver") as step:
        step.detail("go: downloading k8s.io/api")
        step.advance(3, 15)
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

#: On a plain log a running step repeats its detail at most this often, in seconds.
PLAIN_INTERVAL_SECONDS = 15.0


class Step(Protocol):
    """One thing under way. Methods may be called from any thread."""

    def detail(self, text: str) -> None:
        """The newest line of a log, or what is being waited for."""

    def advance(self, done: int, total: int) -> None:
        """How far the step is, in units that both arguments share."""


class Progress(Protocol):
    """Where steps are shown. Steps may overlap (things started in parallel)."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Open a step; leaving the context by an exception marks it as failed."""

    def note(self, text: str) -> None:
        """A line that stays: a decision made, something skipped and why."""


def terminal_progress(stream: IO[str] | None = None) -> Progress:
    """The progress for `stream` (standard error by default): live on a TTY, lines otherwise."""
    target = sys.stderr if stream is None else stream
    if target.isatty():
        return LiveProgress(Console(file=target))
    return PlainProgress(target)


class SilentProgress:
    """Shows nothing: for callers that have nobody to tell."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        yield _SilentStep()

    def note(self, text: str) -> None:
        return None


class _SilentStep:
    def detail(self, text: str) -> None:
        return None

    def advance(self, done: int, total: int) -> None:
        return None


class PlainProgress:
    """One line when a step starts, one when it ends, and a sign of life between them."""

    def __init__(self, stream: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        start = self._clock()
        self._write(f"{title} ...")
        try:
            yield _PlainStep(title, self._write, self._clock)
        except BaseException:
            self._write(f"{title}: failed after {format_seconds(self._clock() - start)}")
            raise
        self._write(f"{title}: done in {format_seconds(self._clock() - start)}")

    def note(self, text: str) -> None:
        self._write(text)

    def _write(self, text: str) -> None:
        with self._lock:
            elapsed = format_seconds(self._clock() - self._began)
            print(f"[{elapsed:>7}] {text}", file=self._stream, flush=True)


class _PlainStep:
    def __init__(
        self, title: str, write: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self._title = title
        self._write = write
        self._clock = clock
        self._spoke = clock()
        self._percent = ""

    def detail(self, text: str) -> None:
        line = _last_line(text)
        if line and self._clock() - self._spoke >= PLAIN_INTERVAL_SECONDS:
            self._spoke = self._clock()
            self._write(f"{self._title}{self._percent}: {line}")

    def advance(self, done: int, total: int) -> None:
        self._percent = f" {_percent(done, total)}"
        self.detail(f"{done} of {total}")


class LiveProgress:
    """Draws the open steps in place; finished steps stay above as one line each."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._bars: Bars | None = None
        self._open = 0

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        start = time.monotonic()
        bars = self._enter()
        task = bars.add_task(escape(title), total=None, detail="")
        mark = "[red]✗[/red]"
        try:
            yield _LiveStep(bars, task)
            mark = "[green]✓[/green]"
        finally:
            bars.remove_task(task)
            took = format_seconds(time.monotonic() - start)
            self._console.print(f"{mark} {escape(title)} [dim]{took}[/dim]", highlight=False)
            self._leave()

    def note(self, text: str) -> None:
        self._console.print(f"[dim]·[/dim] {escape(text)}", highlight=False)

    def _enter(self) -> Bars:
        """One live display for all open steps: rich allows a single one per console."""
        with self._lock:
            self._open += 1
            if self._bars is None:
                self._bars = Bars(
                    SpinnerColumn(),
                    TextColumn("{task.description}"),
                    _ElapsedColumn(""),
                    _PercentColumn(""),
                    TextColumn("[dim]{task.fields[detail]}[/dim]"),
                    console=self._console,
                    transient=True,
                )
                self._bars.start()
            return self._bars

    def _leave(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0 and self._bars is not None:
                self._bars.stop()
                self._bars = None


class _LiveStep:
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def detail(self, text: str) -> None:
        line = _last_line(text)
        if line:
            self._bars.update(self._task, detail=escape(line[:80]))

    def advance(self, done: int, total: int) -> None:
        self._bars.update(self._task, completed=done, total=total)


class _ElapsedColumn(TextColumn):
    def render(self, task: Task) -> Text:
        return Text(format_seconds(task.elapsed or 0.0), style="cyan")


class _PercentColumn(TextColumn):
    """Only for the steps that know how far they are."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        return Text(_percent(int(task.completed), int(task.total)), style="magenta")


def format_seconds(seconds: float) -> str:
    """`7.4s`, `2m05s`, `1h02m`."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def _percent(done: int, total: int) -> str:
    return f"{100 * done // total}%" if total > 0 else ""


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
