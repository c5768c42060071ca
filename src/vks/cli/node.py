"""`vks node …`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from vks.cli.api import Api
from vks.cli.errors import CliError
from vks.cli.following import finish
from vks.cli.options import api_options, wait_options
from vks.cli.output import output_option, show_operation


@click.group()
def node() -> None:
    """Recreate, cordon, drain and delete single nodes (`vks pool nodes CLUSTER` lists them)."""


def _node_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--cluster", required=True),
        click.argument("name", metavar="NODE"),
        api_options,
        output_option,
        wait_options,
    ):
        function = option(function)
    return function


def _act(
    api: Api, cluster: str, name: str, action: str, wait: bool, timeout: float, output: str,
    body: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    operation = api.change("POST", api.path("clusters", cluster, "nodes", name, action), body)
    show_operation(output, finish(api, operation, wait=wait, timeout=timeout))


@node.command()
@_node_options
def cordon(api: Api, cluster: str, name: str, wait: bool, timeout: float, output: str) -> None:
    """Keep new pods off NODE."""
    _act(api, cluster, name, "cordon", wait, timeout, output)


@node.command()
@_node_options
def uncordon(api: Api, cluster: str, name: str, wait: bool, timeout: float, output: str) -> None:
    """Let new pods onto NODE again."""
    _act(api, cluster, name, "uncordon", wait, timeout, output)


@node.command()
@click.option(
    "--drain-timeout",
    type=click.IntRange(1, 86_400),
    default=600,
    show_default=True,
    help="Seconds; then the drain has failed, and NODE stays cordoned.",
)
@_node_options
def drain(
    api: Api,
    cluster: str,
    name: str,
    drain_timeout: int,
    wait: bool,
    timeout: float,
    output: str,
) -> None:
    """Move all pods away from NODE, as their disruption budgets allow it."""
    body = {"drainTimeoutSeconds": drain_timeout}
    _act(api, cluster, name, "drain", wait, timeout, output, body)


@node.command()
@_node_options
def recreate(api: Api, cluster: str, name: str, wait: bool, timeout: float, output: str) -> None:
    """Drain NODE and make a new one in its place."""
    _act(api, cluster, name, "recreate", wait, timeout, output)


@node.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@_node_options
def delete(
    api: Api, cluster: str, name: str, yes: bool, wait: bool, timeout: float, output: str
) -> None:
    """Scale NODE's pool down by exactly this node."""
    if not yes:
        click.echo(f"  deleted  node  {name}, and its pool has one less")
        if not os.isatty(0):
            raise CliError("nothing was deleted; say --yes to do it", 2)
        click.confirm(f"Delete node {name} of {cluster}?", abort=True, err=True)
    operation = api.change("DELETE", api.path("clusters", cluster, "nodes", name))
    show_operation(output, finish(api, operation, wait=wait, timeout=timeout))
