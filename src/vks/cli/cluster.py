"""`vks cluster …`."""

from __future__ import annotations

import os
from typing import Any

import click

from vks.cli.api import Api
from vks.cli.errors import CliError
from vks.cli.following import finish
from vks.cli.options import api_options, wait_options
from vks.cli.output import newest, output_option, show, show_operation
from vks.cli.poolspec import PoolSpecError, parse_pool
from vks.cli.upgrade import upgrade, upgrades

COLUMNS = (
    ("NAME", lambda c: c["name"]),
    ("PHASE", lambda c: c["status"]["phase"]),
    ("VERSION", lambda c: c["version"]),
    ("CONTROL PLANE", lambda c: _ready(c)),
    ("REGION", lambda c: c["region"]),
    ("ENDPOINT", lambda c: c["status"]["endpoint"]),
    ("CREATED", lambda c: c["createdAt"]),
)
EVENT_COLUMNS = (
    ("LAST SEEN", lambda e: e["lastSeen"]),
    ("COUNT", lambda e: e["count"]),
    ("TYPE", lambda e: e["type"]),
    ("REASON", lambda e: e["reason"]),
    ("OBJECT", lambda e: f"{e['object']['kind']}/{e['object']['name']}"),
    ("MESSAGE", lambda e: e["message"]),
)


def _ready(cluster: dict[str, Any]) -> str:
    ready = cluster["status"]["controlPlane"]["readyReplicas"]
    return f"{ready}/{cluster['controlPlane']['replicas']}"


def _pools(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[dict[str, Any]]:
    try:
        return [parse_pool(text) for text in texts]
    except PoolSpecError as error:
        raise click.BadParameter(str(error)) from error


@click.group()
def cluster() -> None:
    """Create, list, get, scale, upgrade and delete clusters."""


for command in (upgrades, upgrade):
    cluster.add_command(command)


@cluster.command()
@click.argument("name")
@click.option("--region", help="Default: the credential's region.")
@click.option("--version", "kubernetes", help="Default: the newest that the region offers.")
@click.option("--control-plane", "replicas", type=int, default=3, show_default=True)
@click.option("--flavor", default="medium", show_default=True, help="Of control planes.")
@click.option("--zones", default="", help="Of control planes, comma-separated; default all.")
@click.option(
    "--pool",
    "pools",
    multiple=True,
    callback=_pools,
    help='"name=default;count=3;flavor=small;zones=a,b;label=k:v;taint=k:v:effect"; repeatable. '
    "Also the options of `vks pool create`: image=, key=, min=, max=, pre=FILE, post=FILE, …",
)
@click.option("--network", help="Id of a network; default a network of the cluster's own.")
@click.option(
    "--cni",
    type=click.Choice(["default", "none"]),
    default="default",
    help="The pod network; none: bring your own.",
)
@click.option("--key-name", help="A key pair of yours: lets you in to the nodes by SSH.")
@click.option("--deletion-protection", is_flag=True, help="Refuse to delete it.")
@click.option("--provisioner", type=click.Choice(["capi", "legacy"]), help="For operators only.")
@wait_options
@output_option
@api_options
def create(
    api: Api,
    name: str,
    region: str | None,
    kubernetes: str | None,
    replicas: int,
    flavor: str,
    zones: str,
    pools: list[dict[str, Any]],
    network: str | None,
    cni: str,
    key_name: str | None,
    deletion_protection: bool,
    provisioner: str | None,
    wait: bool,
    timeout: float,
    output: str,
) -> None:
    """Create cluster NAME and wait until its nodes are ready."""
    where = region or api.region or default_region(api)
    body = {
        "name": name,
        "region": where,
        "version": kubernetes or newest_version(api, where),
        "controlPlane": {"replicas": replicas, "flavor": flavor, "zones": _words(zones)},
        "network": {"networkId": network, "cni": cni},
        "keyName": key_name,
        "deletionProtection": deletion_protection,
        "nodePools": pools,
        "provisioner": provisioner,
    }
    operation = api.change("POST", api.path("clusters"), body)
    show_operation(output, finish(api, operation, wait=wait, timeout=timeout))
    if wait and output == "table":
        click.echo(f"\nNext: vks kubeconfig save {name}")


def default_region(api: Api) -> str:
    """The only region there is. Raises CliError when it has to be chosen."""
    names = [region["name"] for region in api.get("/v1/regions")["items"]]
    if len(names) != 1:
        raise CliError(f"choose a --region: {', '.join(names) or 'there is none'}", 2)
    return str(names[0])


def newest_version(api: Api, region: str) -> str:
    """The highest Kubernetes version that the region offers. Raises CliError for none."""
    options = api.get(f"/v1/regions/{region}/options")
    versions = [entry["version"] for entry in options["versions"]]
    if not versions:
        raise CliError(f"region {region} has no image of any Kubernetes version")
    return newest(versions)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


@cluster.command(name="list")
@output_option
@api_options
def list_(api: Api, output: str) -> None:
    """All clusters of the project."""
    show(output, api.list(api.path("clusters")), COLUMNS)


@cluster.command()
@click.argument("name")
@output_option
@api_options
def get(api: Api, name: str, output: str) -> None:
    """One cluster; in the table also what it waits for."""
    found = api.get(api.path("clusters", name))
    show(output, found, COLUMNS)
    if output == "table":
        for condition in found["status"]["conditions"]:
            if condition["status"] != "True":
                click.echo(f"  {condition['type']}: {condition['reason']} {condition['message']}")


@cluster.command()
@click.argument("name")
@output_option
@api_options
def events(api: Api, name: str, output: str) -> None:
    """What happened to the cluster and its parts lately, the newest last."""
    found = api.list(api.path("clusters", name, "events"))
    show(output, found, EVENT_COLUMNS, name=lambda event: str(event["reason"]))


@cluster.command()
@click.argument("name")
@click.option("--control-plane", "replicas", type=int, required=True, help="1, 3, 5 or 7.")
@wait_options
@output_option
@api_options
def scale(api: Api, name: str, replicas: int, wait: bool, timeout: float, output: str) -> None:
    """Change the number of control planes."""
    body = {"controlPlane": {"replicas": replicas}}
    operation = api.change("PATCH", api.path("clusters", name), body)
    show_operation(output, finish(api, operation, wait=wait, timeout=timeout))


@cluster.command()
@click.argument("name")
@click.option("--deletion-protection/--no-deletion-protection", required=True)
@wait_options
@output_option
@api_options
def update(
    api: Api, name: str, deletion_protection: bool, wait: bool, timeout: float, output: str
) -> None:
    """Change settings of cluster NAME."""
    body = {"deletionProtection": deletion_protection}
    operation = api.change("PATCH", api.path("clusters", name), body)
    show_operation(output, finish(api, operation, wait=wait, timeout=timeout))


@cluster.command()
@click.argument("name")
@api_options
def autoscaler(api: Api, name: str) -> None:
    """The cluster-autoscaler of cluster NAME, to apply in the region's management cluster."""
    click.echo(api.get(api.path("clusters", name, "autoscaler"))["manifest"], nl=False)


@cluster.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@wait_options
@output_option
@api_options
def delete(api: Api, name: str, yes: bool, wait: bool, timeout: float, output: str) -> None:
    """Delete cluster NAME with everything that belongs to it, after showing the plan."""
    if not yes:
        plan = api.get(api.path("clusters", name, "associated-resources"))["items"]
        for item in plan:
            click.echo(f"  {item['onDelete']:<8} {item['type']:<14} {item['name'] or item['id']}")
        if os.isatty(0):
            click.confirm(f"Delete cluster {name} and the resources above?", abort=True, err=True)
        else:
            raise CliError("nothing was deleted; say --yes to do it", 2)
    operation = api.change("DELETE", api.path("clusters", name))
    show_operation(output, finish(api, operation, wait=wait, timeout=timeout))
