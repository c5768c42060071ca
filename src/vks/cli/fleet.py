"""`vks migration fleet …`: many clusters, a few at a time."""

from __future__ import annotations

import time
from typing import Any

import click

from vks.cli import errors
from vks.cli.api import Api
from vks.cli.errors import CliError
from vks.cli.options import api_options
from vks.cli.output import Column, output_option, show
from vks.local.progress import terminal_progress

COLUMNS: tuple[Column, ...] = (
    ("FLEET", lambda f: f["name"]),
    ("PHASE", lambda f: f["phase"]),
    ("UNTIL", lambda f: f["until"]),
    ("DONE", lambda f: f"{f['done']}/{len(f['clusters'])}"),
    ("UNDER WAY", lambda f: f"{f['underWay']} of at most {f['concurrency']}"),
    ("FAILED", lambda f: f"{f['failed']}, halts at {f['haltAfter']}"),
)
CLUSTER_COLUMNS: tuple[Column, ...] = (
    ("CLUSTER", lambda c: c["name"]),
    ("STATE", lambda c: c["state"]),
    ("PHASE", lambda c: c["phase"]),
    ("SECONDS", lambda c: c["seconds"]),
    ("PHASES", lambda c: [_took(phase) for phase in c["phases"]]),
    ("REASON", lambda c: ": ".join(text for text in (c["reason"], c["message"]) if text)),
)
_POLL_SECONDS = 2.0

Found = dict[str, Any]


@click.group()
def fleet() -> None:
    """Migrate many clusters, a few at a time."""


@fleet.command()
@click.argument("name")
@click.option("--cluster", "clusters", multiple=True, help="In this order; default: all legacy.")
@click.option("--region", help="Where; needed when there are several.")
@click.option(
    "--until",
    type=click.Choice(["Prepared", "Adopted", "Converted", "Finalized"]),
    default="Converted",
    show_default=True,
)
@click.option("--concurrency", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--halt-after",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Begin with no other cluster when so many have failed.",
)
@click.option(
    "--cluster-timeout",
    type=click.IntRange(min=60),
    default=7200,
    show_default=True,
    help="Seconds after which a cluster that is not there counts as failed.",
)
@output_option
@api_options
def start(
    api: Api,
    name: str,
    clusters: tuple[str, ...],
    region: str | None,
    until: str,
    concurrency: int,
    halt_after: int,
    cluster_timeout: int,
    output: str,
) -> None:
    """Begin with fleet NAME."""
    body = {
        "name": name,
        "region": region,
        "clusters": [*clusters] or None,
        "until": until,
        "concurrency": concurrency,
        "haltAfter": halt_after,
        "timeoutSeconds": cluster_timeout,
    }
    _show(api.change("POST", api.path("migration-fleets"), body), output)


@fleet.command("list")
@output_option
@api_options
def list_(api: Api, output: str) -> None:
    """All fleets, finished ones too."""
    show(output, api.get(api.path("migration-fleets")), COLUMNS)


@fleet.command()
@click.argument("name")
@output_option
@api_options
def status(api: Api, name: str, output: str) -> None:
    """How far every cluster of fleet NAME is, how long it took, and why it has failed."""
    _show(api.get(_path(api, name)), output)


@fleet.command()
@click.argument("name")
@click.option("--timeout", type=click.FloatRange(min=0), default=86_400.0, show_default=True)
@output_option
@api_options
def wait(api: Api, name: str, timeout: float, output: str) -> None:
    """Wait until fleet NAME has finished, or halts; exit code 6 when clusters have failed."""
    deadline = time.monotonic() + timeout
    with terminal_progress().step(f"fleet {name}") as step:
        while not _over(found := api.get(_path(api, name))):
            step.detail(f"{found['done']}/{len(found['clusters'])} done, {found['failed']} failed")
            if time.monotonic() > deadline:
                raise CliError("it goes on", errors.TIMED_OUT)
            time.sleep(_POLL_SECONDS)
    _show(found, output)
    if found["failed"]:
        raise CliError(f"{found['failed']} clusters have failed", errors.REFUSED)


@fleet.command()
@click.argument("name")
@output_option
@api_options
def pause(api: Api, name: str, output: str) -> None:
    """Begin with no other cluster; those that are under way go on."""
    _show(api.change("POST", _path(api, name, "pause")), output)


@fleet.command()
@click.argument("name")
@click.option("--halt-after", type=click.IntRange(min=1), help="Allow so many failures.")
@output_option
@api_options
def resume(api: Api, name: str, halt_after: int | None, output: str) -> None:
    """Go on with the next clusters of fleet NAME."""
    _show(api.change("POST", _path(api, name, "resume"), {"haltAfter": halt_after}), output)


@fleet.command()
@click.argument("name")
@api_options
def forget(api: Api, name: str) -> None:
    """Delete the record of fleet NAME; migrations that are under way go on."""
    api.change("DELETE", _path(api, name))


def _path(api: Api, name: str, *verb: str) -> str:
    return api.path("migration-fleets", name, *verb)


def _over(found: Found) -> bool:
    """Nothing is expected any more: what is overdue is somebody's to look at."""
    under_way = (c for c in found["clusters"] if c["state"] == "UnderWay")
    awaited = any(c["reason"] != "Overdue" for c in under_way)
    return found["phase"] == "Finished" or (found["phase"] == "Halted" and not awaited)


def _took(phase: Found) -> str:
    return f"{phase['name']} {phase['seconds']}s" if phase["seconds"] is not None else phase["name"]


def _show(found: Found, output: str) -> None:
    show(output, found, COLUMNS)
    if output == "table":
        show(output, {"items": found["clusters"]}, CLUSTER_COLUMNS)
