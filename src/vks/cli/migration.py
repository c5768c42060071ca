"""`vks migration …`: an operator's commands."""

from __future__ import annotations

import time
from typing import Any

import click

from vks.cli import errors
from vks.cli.api import Api
from vks.cli.errors import CliError
from vks.cli.options import api_options
from vks.cli.output import output_option, show

COLUMNS = (
    ("CLUSTER", lambda m: m["cluster"]),
    ("PHASE", lambda m: m["phase"]),
    ("PLAN", lambda m: m["plan"]["summary"] if m["plan"] else m["message"]),
)
_POLL_SECONDS = 1.0


@click.group()
def migration() -> None:
    """Move clusters from the legacy provisioner to Cluster API."""


@migration.command()
@click.argument("cluster")
@click.option("--timeout", type=click.FloatRange(min=0), default=120.0, show_default=True)
@output_option
@api_options
def plan(api: Api, cluster: str, timeout: float, output: str) -> None:
    """Say what migrating CLUSTER would do and every reason against it; nothing is touched."""
    asked = api.change("POST", api.path("clusters", cluster, "migration", "plan"))
    deadline = time.monotonic() + timeout
    found = asked
    while not found["plan"] or found["plan"]["id"] != asked["requested"]:
        if time.monotonic() > deadline:
            raise CliError(f"no plan yet: {found['message']}", errors.UNAVAILABLE)
        time.sleep(_POLL_SECONDS)
        found = api.get(api.path("clusters", cluster, "migration"))
    _show(found, output)
    if found["plan"]["refusals"]:
        raise CliError("the cluster cannot be migrated as it is", errors.REFUSED)


@migration.command()
@click.argument("cluster")
@output_option
@api_options
def status(api: Api, cluster: str, output: str) -> None:
    """How far the migration of CLUSTER is, and its last plan."""
    _show(api.get(api.path("clusters", cluster, "migration")), output)


def _show(found: dict[str, Any], output: str) -> None:
    show(output, found, COLUMNS, name=lambda item: str(item["cluster"]))
    if output != "table" or not found["plan"]:
        return
    for refusal in found["plan"]["refusals"]:
        click.echo(f"  refused ({refusal['check']}): {refusal['message']}")
        click.echo(f"      {refusal['fix']}")
    for node in found["plan"]["nodes"]:
        click.echo(f"  {node['name']}")
        for change in node["changes"]:
            click.echo(f"      {change}")
    for component, arguments in found["plan"]["arguments"].items():
        for name, value in arguments.items():
            click.echo(f"  carries over: {component} {name}={value}")
