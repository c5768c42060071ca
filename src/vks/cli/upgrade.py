"""`vks cluster upgrades | upgrade`."""

from __future__ import annotations

import os
from typing import Any

import click

from vks.cli.api import Api
from vks.cli.errors import REFUSED, CliError
from vks.cli.following import finish
from vks.cli.options import api_options, wait_options
from vks.cli.output import newest, output_option, show, show_operation

COLUMNS = (
    ("VERSION", lambda u: u["version"]),
    ("ALLOWED", lambda u: "yes" if u["allowed"] else "no"),
    ("CHECKS", lambda u: _failed(u) or "all passed"),
)


def _failed(option: dict[str, Any]) -> str:
    wrong = [check for check in option["checks"] if check["status"] != "Passed"]
    return "; ".join(f"{check['name']}: {check['message']}" for check in wrong)


@click.command()
@click.argument("name")
@output_option
@api_options
def upgrades(api: Api, name: str, output: str) -> None:
    """The versions that cluster NAME can go to, and what speaks against it."""
    found = api.get(api.path("clusters", name, "upgrades"))
    if output != "table":
        show(
            output, found, (), name=lambda item: "\n".join(u["version"] for u in item["available"])
        )
        return
    pools = ", ".join(f"{pool['name']} {pool['version']}" for pool in found["nodePools"])
    click.echo(f"control plane {found['controlPlane']}; node pools: {pools or 'none'}")
    if found["current"] is not None:
        current = found["current"]
        click.echo(
            f"latest upgrade: {current['version']} {current['state']} {current['operation']}"
        )
    show(output, {"items": found["available"]}, COLUMNS)


@click.command()
@click.argument("name")
@click.option("--version", help="Default: the newest that is allowed.")
@click.option("--force", is_flag=True, help="Although checks did not pass.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--pause", "action", flag_value="pause", help="Let nothing further begin.")
@click.option("--resume", "action", flag_value="resume", help="Go on after a pause.")
@click.option(
    "--abort",
    "action",
    flag_value="abort",
    help="End it: what has begun is finished (pools go back), the rest stays.",
)
@wait_options
@output_option
@api_options
def upgrade(
    api: Api,
    name: str,
    version: str | None,
    force: bool,
    yes: bool,
    action: str | None,
    wait: bool,
    timeout: float,
    output: str,
) -> None:
    """Upgrade cluster NAME: its control plane, then its node pools, after showing the plan."""
    path = api.path("clusters", name, "upgrades")
    if action is not None:
        operation = api.change("POST", f"{path}/{action}")
        show_operation(output, operation)
        return
    found = api.get(path)
    target = version or _newest_allowed(found, force=force)
    if not yes:
        _show_plan(found, target)
        if not os.isatty(0):
            raise CliError("nothing was changed; say --yes to do it", 2)
        click.confirm(f"Upgrade cluster {name} to {target}?", abort=True, err=True)
    operation = api.change("POST", path, {"version": target, "force": force})
    show_operation(output, finish(api, operation, wait=wait, timeout=timeout))


def _newest_allowed(found: dict[str, Any], *, force: bool) -> str:
    options = found["available"]
    usable = [u["version"] for u in options if u["allowed"] or force]
    if usable:
        return newest(usable)
    if not options:
        raise CliError(f"{found['controlPlane']} is the newest that can be had", REFUSED)
    details = tuple(f"{u['version']}: {_failed(u)}" for u in options)
    raise CliError("checks did not pass; --force upgrades nevertheless", REFUSED, details)


def _show_plan(found: dict[str, Any], target: str) -> None:
    click.echo(f"  control plane  {found['controlPlane']} -> {target}, one machine at a time")
    for pool in found["nodePools"]:
        click.echo(f"  node pool      {pool['name']}: {pool['version']} -> {target}")
    option = next((u for u in found["available"] if u["version"] == target), None)
    for check in option["checks"] if option else ():
        click.echo(f"  {check['status']:<8}       {check['name']}: {check['message']}")
