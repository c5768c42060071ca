"""`vks operation …`."""

from __future__ import annotations

import click

from vks.cli.api import Api
from vks.cli.following import ENDED, failure, finish
from vks.cli.options import WAIT_SECONDS, api_options
from vks.cli.output import OPERATION_COLUMNS, output_option, show, show_operation


@click.group()
def operation() -> None:
    """Follow changes to their end."""


@operation.command(name="list")
@click.option("--cluster", help="Only those of one cluster.")
@output_option
@api_options
def list_(api: Api, cluster: str | None, output: str) -> None:
    """Operations of the project."""
    parameters = {"cluster": cluster} if cluster else {}
    found = api.list(api.path("operations"), **parameters)
    show(output, found, OPERATION_COLUMNS, name=lambda item: str(item["id"]))


@operation.command()
@click.argument("identity", metavar="ID")
@output_option
@api_options
def get(api: Api, identity: str, output: str) -> None:
    """One operation; in the table also its steps."""
    found = api.get(api.path("operations", identity))
    show_operation(output, found)
    if output == "table":
        for step in found["steps"]:
            click.echo(f"  {step['name']:<14} {step['state']:<8} {step['message']}".rstrip())
        if found["error"]:
            click.echo(str(failure(found)))


@operation.command()
@click.argument("identity", metavar="ID")
@click.option("--timeout", type=click.FloatRange(min=0), default=WAIT_SECONDS, show_default=True)
@output_option
@api_options
def wait(api: Api, identity: str, timeout: float, output: str) -> None:
    """Show the steps of an operation until it ends."""
    found = api.get(api.path("operations", identity))
    if found["phase"] == "Failed":
        raise failure(found)
    pending = found["phase"] not in ENDED
    show_operation(output, finish(api, found, wait=pending, timeout=timeout))
