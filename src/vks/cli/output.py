"""The four output formats: table for people, json, yaml and name for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

#: A longer cell is cut; `-o json` has all of it.
_WIDEST = 100

Column = tuple[str, Callable[[dict[str, Any]], object]]

OPERATION_COLUMNS: tuple[Column, ...] = (
    ("OPERATION", lambda o: o["id"]),
    ("TYPE", lambda o: o["type"]),
    ("CLUSTER", lambda o: o["cluster"]),
    ("PHASE", lambda o: o["phase"]),
    ("PROGRESS", lambda o: f"{o['progress']}%"),
    ("CREATED", lambda o: o["createdAt"]),
)


def output_option(function: F) -> F:
    """Adds `-o/--output` as the parameter `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml", "name"]),
        default="table",
        show_default=True,
    )(function)


def show(
    output: str,
    value: dict[str, Any],
    columns: Sequence[Column],
    *,
    name: Callable[[dict[str, Any]], str] = lambda item: str(item["name"]),
) -> None:
    """Prints one resource, or the `items` of a list."""
    if output == "json":
        click.echo(json.dumps(value, indent=2))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(value, sort_keys=False), nl=False)
    else:
        items = value.get("items", [value])
        if output == "name":
            for item in items:
                click.echo(name(item))
        else:
            _table(items, columns)


def show_operation(output: str, operation: dict[str, Any]) -> None:
    show(output, operation, OPERATION_COLUMNS, name=lambda item: str(item["id"]))


def newest(versions: Sequence[str]) -> str:
    """The highest of `v1.36.3` and the like."""
    return max(versions, key=lambda v: [int(n) for n in v.lstrip("v").split(".")])


def _table(items: list[dict[str, Any]], columns: Sequence[Column]) -> None:
    rows = [[title for title, _ in columns]]
    rows += [[_cell(get(item)) for _, get in columns] for item in items]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        line = "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    line = " ".join(text.split())  # conditions of Cluster API span lines
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"
