"""`vks migration …`: an operator's commands."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import click

from vks.cli import errors
from vks.cli.api import Api
from vks.cli.errors import CliError
from vks.cli.fleet import fleet
from vks.cli.options import api_options, wait_options
from vks.cli.output import output_option, show
from vks.local.progress import terminal_progress

COLUMNS = (
    ("CLUSTER", lambda m: m["cluster"]),
    ("PHASE", lambda m: m["phase"] + (" (paused)" if m["paused"] else "")),
    ("PLAN", lambda m: m["plan"]["summary"] if m["plan"] else m["message"]),
)
_POLL_SECONDS = 1.0

Found = dict[str, Any]


@click.group()
def migration() -> None:
    """Move clusters from the legacy provisioner to Cluster API."""


migration.add_command(fleet)


@migration.command()
@click.argument("cluster")
@click.option("--timeout", type=click.FloatRange(min=0), default=120.0, show_default=True)
@output_option
@api_options
def plan(api: Api, cluster: str, timeout: float, output: str) -> None:
    """Say what migrating CLUSTER would do and every reason against it; nothing is touched."""
    asked = api.change("POST", _path(api, cluster, "plan"))["requested"]
    found = _follow(api, cluster, lambda m: m["plan"] and m["plan"]["id"] == asked, timeout)
    _show(found, output)
    if found["plan"]["refusals"]:
        raise CliError("the cluster cannot be migrated as it is", errors.REFUSED)


@migration.command()
@click.argument("cluster")
@output_option
@api_options
def status(api: Api, cluster: str, output: str) -> None:
    """How far the migration of CLUSTER is, and its last plan."""
    _show(api.get(_path(api, cluster)), output)


@migration.command()
@click.argument("cluster")
@click.option(
    "--until",
    type=click.Choice(["Prepared", "Adopted", "Converted"]),
    default="Converted",
    show_default=True,
    help="Stop there.",
)
@wait_options
@output_option
@api_options
def start(api: Api, cluster: str, until: str, wait: bool, timeout: float, output: str) -> None:
    """Migrate CLUSTER as its plan says, or go on to a later phase."""
    found = api.change("POST", _path(api, cluster, "start"), {"until": until})
    _finish(api, cluster, found, until, wait, timeout, output)


@migration.command()
@click.argument("cluster")
@output_option
@api_options
def pause(api: Api, cluster: str, output: str) -> None:
    """Hold the migration of CLUSTER before its next step."""
    _show(api.change("POST", _path(api, cluster, "pause")), output)


@migration.command()
@click.argument("cluster")
@output_option
@api_options
def resume(api: Api, cluster: str, output: str) -> None:
    """Go on with the migration of CLUSTER where it was paused."""
    _show(api.change("POST", _path(api, cluster, "resume")), output)


@migration.command()
@click.argument("cluster")
@click.option(
    "--until",
    type=click.Choice(["Planned", "Prepared"]),
    default="Planned",
    show_default=True,
    help="Stop there.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@wait_options
@output_option
@api_options
def rollback(
    api: Api, cluster: str, until: str, yes: bool, wait: bool, timeout: float, output: str
) -> None:
    """Take back what the migration of CLUSTER has done, the last phase first."""
    _sure(f"Take back the migration of {cluster}?", yes)
    found = api.change("POST", _path(api, cluster, "rollback"), {"until": until})
    phase = "RolledBack" if until == "Planned" else until
    _finish(api, cluster, found, phase, wait, timeout, output)


@migration.command()
@click.argument("cluster")
@click.option("--yes", is_flag=True, help="Do not ask.")
@wait_options
@output_option
@api_options
def finalize(api: Api, cluster: str, yes: bool, wait: bool, timeout: float, output: str) -> None:
    """Remove what is left of the legacy provisioner in CLUSTER; there is no way back."""
    _sure(f"Finalize the migration of {cluster}? There is no way back.", yes)
    found = api.change("POST", _path(api, cluster, "finalize"))
    _finish(api, cluster, found, "Finalized", wait, timeout, output)


def _path(api: Api, cluster: str, *verb: str) -> str:
    return api.path("clusters", cluster, "migration", *verb)


def _sure(question: str, yes: bool) -> None:
    """Raises Abort, and CliError when there is nobody to ask."""
    if yes:
        return
    if not os.isatty(0):
        raise CliError("nothing was done; say --yes to do it", errors.USAGE)
    click.confirm(question, abort=True, err=True)


def _finish(
    api: Api, cluster: str, found: Found, phase: str, wait: bool, timeout: float, output: str
) -> None:
    if wait:
        found = _follow(api, cluster, lambda m: m["phase"] == phase or m["paused"], timeout)
    _show(found, output)


def _follow(api: Api, cluster: str, over: Callable[[Found], Any], timeout: float) -> Found:
    """Looks until it is over, and shows what it waits for. Raises CliError when it is not within
    `timeout` seconds."""
    deadline = time.monotonic() + timeout
    with terminal_progress().step(f"migration of {cluster}") as step:
        while not over(found := api.get(_path(api, cluster))):
            step.detail(f"{found['phase']}: {found['message']}")
            if time.monotonic() > deadline:
                raise CliError(f"it goes on: {found['message']}", errors.TIMED_OUT)
            time.sleep(_POLL_SECONDS)
    return found


def _show(found: Found, output: str) -> None:
    show(output, found, COLUMNS, name=lambda item: str(item["cluster"]))
    if output != "table":
        return
    for phase in found["phases"]:
        ended = f"until {phase['finishedAt']}" if phase["finishedAt"] else f"at {phase['step']}"
        click.echo(f"  {phase['name']}: since {phase['startedAt']}, {ended}")
    if found["phases"] and found["message"]:
        click.echo(f"  waits: {found['message']}")
    for node in found["nodes"]:
        click.echo(f"  {node['name']}: {node['step']}")
    if found["plan"] and not found["phases"]:
        _show_plan(found["plan"])


def _show_plan(made: Found) -> None:
    for refusal in made["refusals"]:
        click.echo(f"  refused ({refusal['check']}): {refusal['message']}")
        click.echo(f"      {refusal['fix']}")
    for node in made["nodes"]:
        click.echo(f"  {node['name']}")
        for change in node["changes"]:
            click.echo(f"      {change}")
    for component, arguments in made["arguments"].items():
        for name, value in arguments.items():
            click.echo(f"  carries over: {component} {name}={value}")
