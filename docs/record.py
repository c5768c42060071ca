"""Runs commands and draws what they print as a terminal: `python -m docs.record SVG COMMAND…`.

Pictures in the documentation are recordings: nothing in them is written by hand.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 118


def record(commands: list[str], title: str) -> str:
    """The SVG. Raises CalledProcessError for a command that fails: there is no picture of it."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        for number, command in enumerate(commands):
            console.print(("\n" if number else "") + f"[bold green]$[/] [bold]{command}[/]")
            done = subprocess.run(
                ["/bin/bash", "-c", command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=True,
            )
            console.print(Text(done.stdout.rstrip("\n"), overflow="ellipsis", no_wrap=True))
        return console.export_svg(title=title)


def main() -> None:
    target, *commands = sys.argv[1:]
    Path(target).write_text(record(commands, title="vks"))


if __name__ == "__main__":
    main()
