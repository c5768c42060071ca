"""`vks pool …`."""

from __future__ import annotations

import os
from typing import Any

import click

from vks.cli.api import Api
from vks.cli.errors import CliError
from vks.cli.following import finish
from vks.cli.options import api_options, wait_options
from vks.cli.output import output_option, show, show_operation
from vks.cli.poolsettings import setting_options

COLUMNS = (
    ("NAME", lambda p: p["name"]),
    ("PHASE", lambda p: p["status"]["phase"]),
    ("READY", lambda p: f"{p['status']['readyReplicas']}/{p['replicas']}"),
    ("FLAVOR", lambda p: p["flavor"]),
    ("ZONES", lambda p: p["zones"]),
)


def _address(node: dict[str, Any]) -> str:
    return next((a["address"] for a in node["addresses"] if a["type"] == "InternalIP"), "")


def _script(node: dict[str, Any]) -> str:
    parts = node["userScript"] or {}
    ended = ((name, parts.get(name)) for name in ("pre", "post"))
    return ", ".join(f"{name}: {part['outcome']}" for name, part in ended if part)


NODE_COLUMNS = (
    ("NAME", lambda n: n["name"]),
    ("ROLE", lambda n: n["role"]),
    ("PHASE", lambda n: n["phase"]),
    ("READY", lambda n: "yes" if n["ready"] else "no"),
    ("ZONE", lambda n: n["zone"]),
    ("VERSION", lambda n: n["version"]),
    ("ADDRESS", _address),
    ("USER SCRIPT", _script),
    ("WAITS FOR", lambda n: n["message"]),
)


@click.group()
def pool() -> None:
    """Node pools of a cluster."""


@pool.command()
@click.argument("cluster")
@click.argument("name")
@setting_options
@wait_options
@output_option
@api_options
def create(
    api: Api,
    cluster: str,
    name: str,
    settings: dict[str, Any],
    wait: bool,
    timeout: float,
    output: str,
) -> None:
    """Add pool NAME to CLUSTER."""
    body = {"name": name, **settings}
    operation = api.change("POST", api.path("clusters", cluster, "node-pools"), body)
    show_operation(output, finish(api, operation, wait=wait, timeout=timeout))


@pool.command()
@click.argument("cluster")
@click.argument("name")
@setting_options
@click.option("--no-autoscaling", is_flag=True, help="Keep the number of nodes as it is.")
@click.option("--no-user-script", is_flag=True, help="New nodes run no script.")
@click.option("--no-root-volume", is_flag=True, help="New nodes have the flavor's disk.")
@click.option("--plan", "plan_only", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Replace nodes without asking.")
@wait_options
@output_option
@api_options
def update(
    api: Api,
    cluster: str,
    name: str,
    settings: dict[str, Any],
    no_autoscaling: bool,
    no_user_script: bool,
    no_root_volume: bool,
    plan_only: bool,
    yes: bool,
    wait: bool,
    timeout: float,
    output: str,
) -> None:
    """Change pool NAME of CLUSTER, after showing the nodes that are replaced for it."""
    body = {**settings}
    body |= {"autoscaling": None} if no_autoscaling else {}
    body |= {"userScript": None} if no_user_script else {}
    body |= {"rootVolume": None} if no_root_volume else {}
    path = api.path("clusters", cluster, "node-pools", name)
    plan = api.plan(path, body)
    if plan_only and output != "table":
        return show(output, plan, (), name=lambda item: str(item["etag"]))
    show_plan(plan)
    if plan_only:
        return None
    if plan["replaced"] and not yes:
        if not os.isatty(0):
            raise CliError("nothing was changed; say --yes to do it", 2)
        click.confirm(f"Replace {len(plan['replaced'])} nodes of {name}?", abort=True, err=True)
    operation = api.change("PATCH", path, body, if_match=plan["etag"])
    return show_operation(output, finish(api, operation, wait=wait, timeout=timeout))


def show_plan(plan: dict[str, Any]) -> None:
    """To standard error: standard output is the answer's."""
    for machine in plan["replaced"]:
        because = ", ".join(plan["because"]) or "an earlier change"
        click.echo(f"  replaced  node  {machine['name']}  {machine['zone']}  ({because})", err=True)
    for zone in plan["zones"]:
        if zone["before"] != zone["after"]:
            click.echo(f"  {zone['name']}: {zone['before']} -> {zone['after']} nodes", err=True)
    if plan["inPlace"]:
        click.echo(f"  without replacing nodes: {', '.join(plan['inPlace'])}", err=True)


@pool.command(name="list")
@click.argument("cluster")
@output_option
@api_options
def list_(api: Api, cluster: str, output: str) -> None:
    """All pools of CLUSTER."""
    show(output, api.list(api.path("clusters", cluster, "node-pools")), COLUMNS)


@pool.command()
@click.argument("cluster")
@click.argument("name")
@output_option
@api_options
def get(api: Api, cluster: str, name: str, output: str) -> None:
    """One pool."""
    show(output, api.get(api.path("clusters", cluster, "node-pools", name)), COLUMNS)


@pool.command()
@click.argument("cluster")
@click.argument("name", required=False)
@output_option
@api_options
def nodes(api: Api, cluster: str, name: str | None, output: str) -> None:
    """Nodes of a pool; without NAME all of CLUSTER, control planes too."""
    parts = ("node-pools", name, "nodes") if name else ("nodes",)
    show(output, api.list(api.path("clusters", cluster, *parts)), NODE_COLUMNS)


@pool.command()
@click.argument("cluster")
@click.argument("name")
@click.option("--count", type=int, required=True)
@wait_options
@output_option
@api_options
def scale(
    api: Api, cluster: str, name: str, count: int, wait: bool, timeout: float, output: str
) -> None:
    """Change the number of a pool's nodes."""
    path = api.path("clusters", cluster, "node-pools", name)
    operation = api.change("PATCH", path, {"replicas": count})
    show_operation(output, finish(api, operation, wait=wait, timeout=timeout))


@pool.command()
@click.argument("cluster")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@wait_options
@output_option
@api_options
def delete(
    api: Api, cluster: str, name: str, yes: bool, wait: bool, timeout: float, output: str
) -> None:
    """Delete a pool with its nodes, after showing them."""
    path = api.path("clusters", cluster, "node-pools", name)
    if not yes:
        for node in api.list(f"{path}/nodes")["items"]:
            click.echo(f"  deleted  node  {node['name']}")
        if not os.isatty(0):
            raise CliError("nothing was deleted; say --yes to do it", 2)
        click.confirm(f"Delete pool {name} of {cluster}?", abort=True, err=True)
    show_operation(output, finish(api, api.change("DELETE", path), wait=wait, timeout=timeout))
