"""What is written by hand in the documentation and can be checked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from vks.cli.main import cli

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SHELL = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|\$\()\s*(vks [^#)|&\n]*)", re.MULTILINE)


def _links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in _LINK.findall(_QUOTED.sub("", _FENCED.sub("", page.read_text()))):
            if "://" not in target:
                yield page, target


def _anchors(page: Path) -> set[str]:
    """As a forge makes them from headings."""
    titles = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_every_link_leads_somewhere() -> None:
    broken = []
    for page, target in _links():
        path, _, anchor = target.partition("#")
        found = page if not path else (page.parent / path).resolve()
        if not found.exists() or (anchor and anchor not in _anchors(found)):
            broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def _commands() -> list[str]:
    blocks = [block for page in PAGES for block in _SHELL.findall(page.read_text())]
    lines = "\n".join(blocks).replace("\\\n", " ")
    return sorted({found.strip() for found in _COMMAND.findall(lines)})


@pytest.mark.parametrize("line", _commands())
def test_every_command_exists_with_its_options(line: str) -> None:
    name, *arguments = shlex.split(line)
    command: click.Command | None = cli
    while isinstance(command, click.Group):
        name, *arguments = arguments
        command = command.get_command(click.Context(command), name)
    assert command is not None, f"there is no {name}"
    command.make_context(name, arguments)
