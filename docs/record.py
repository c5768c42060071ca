"""Draws a recorded terminal session: `python -m docs.record TYPESCRIPT SVG`.

    script --command 'make demo' demo.typescript
    python -m docs.record demo.typescript docs/images/demo.svg

Pictures in the documentation are recordings: nothing in them is written by hand. The session is
drawn as it looks at its end, with lines that progress has drawn over as they were last.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 112

#: Control sequences of ECMA-48 that progress bars use: erase, cursor up, colours; others go.
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b[=>]")
#: Rich's SVG loads a font from the internet; a picture must not.
_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)


class Screen:
    """Lines of styled characters, and where the cursor is."""

    def __init__(self) -> None:
        self._lines: list[list[tuple[str, str]]] = [[]]
        self._row = self._column = 0
        self._style = ""

    def feed(self, session: str) -> None:
        position = 0
        for control in _CONTROL.finditer(session):
            self._print(session[position : control.start()])
            self._obey(control.group(1) or "", control.group(2) or "")
            position = control.end()
        self._print(session[position:])

    def lines(self) -> list[str]:
        """What stands there, as text with colours."""
        return [_ansi(line) for line in self._lines]

    def _print(self, text: str) -> None:
        for character in text:
            if character == "\n":
                self._row, self._column = self._row + 1, 0
                if self._row == len(self._lines):
                    self._lines.append([])
            elif character == "\r":
                self._column = 0
            elif character.isprintable():
                self._put(character)

    def _put(self, character: str) -> None:
        line = self._lines[self._row]
        line += [(" ", "")] * (self._column - len(line))
        line[self._column : self._column + 1] = [(character, self._style)]
        self._column += 1

    def _obey(self, numbers: str, command: str) -> None:
        if command == "m":
            self._style = "" if numbers in ("", "0") else f"{self._style}\x1b[{numbers}m"
        elif command == "A":
            self._row = max(0, self._row - int(numbers or 1))
        elif command == "K":
            line = self._lines[self._row]
            del line[0 if numbers == "2" else self._column :]


def _ansi(line: list[tuple[str, str]]) -> str:
    if len(line) > WIDTH:
        line = [*line[: WIDTH - 1], ("…", "")]
    text, style = "", ""
    for character, wanted in line:
        text += character if wanted == style else f"\x1b[0m{wanted}{character}"
        style = wanted
    return text.rstrip()


def draw(session: str, title: str) -> str:
    """The SVG."""
    screen = Screen()
    screen.feed(session)
    lines = [line for line in screen.lines() if line and not _is_frame(line)]
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        for line in lines:
            console.print(Text.from_ansi(line), no_wrap=True)
        return _FONT.sub("", console.export_svg(title=title))


def _is_frame(line: str) -> bool:
    return line.startswith(("Script started on ", "Script done on "))


def main() -> None:
    typescript, target = (Path(argument) for argument in sys.argv[1:])
    target.write_text(draw(typescript.read_bytes().decode(errors="replace"), title="make demo"))


if __name__ == "__main__":
    main()
