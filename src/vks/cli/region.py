"""`vks region …`."""

from __future__ import annotations

import json
from urllib.parse import quote

import click

from vks.cli.api import Api
from vks.cli.options import api_options
from vks.cli.output import output_option, show

COLUMNS = (("NAME", lambda r: r["name"]), ("ZONES", lambda r: r["zones"]))


@click.group()
def region() -> None:
    """Regions and what they offer."""


@region.command(name="list")
@output_option
@api_options
def list_(api: Api, output: str) -> None:
    """All regions."""
    show(output, api.list("/v1/regions"), COLUMNS)


@region.command()
@click.argument("name")
@output_option
@api_options
def options(api: Api, name: str, output: str) -> None:
    """Versions, flavors, images, networks and keypairs that a cluster can use."""
    found = api.get(f"/v1/regions/{quote(name, safe='')}/options")
    if output != "table":
        show(output, found, (), name=lambda item: str(item["region"]))
        return
    click.echo(f"zones      {', '.join(found['zones'])}")
    click.echo(f"versions   {', '.join(v['version'] for v in found['versions'])}")
    for flavor in found["flavors"]:
        click.echo(f"flavor     {flavor['name']}: {flavor['vcpus']} CPU, {flavor['ramMb']} MiB")
    for kind in ("images", "networks", "keypairs"):
        for item in found[kind]:
            click.echo(f"{kind[:-1]:<10} {item.get('id', '')} {item['name']}")
    click.echo(f"limits     {json.dumps(found['limits'])}")
