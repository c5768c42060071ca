"""`vks static-ip …`."""

from __future__ import annotations

import click

from vks.cli.api import Api
from vks.cli.options import api_options
from vks.cli.output import output_option, show

COLUMNS = (
    ("POOL", lambda p: p["name"]),
    ("SUBNET", lambda p: p["subnet"]),
    ("SLOTS", lambda p: p["total"]),
    ("IN USE", lambda p: p["inUse"]),
    ("FREE", lambda p: p["free"]),
    ("WAITS FOR", lambda p: next((c["message"] for c in p["conditions"] if _waits(c)), "")),
)
SLOT_COLUMNS = (
    ("ADDRESS", lambda s: s["address"]),
    ("MAC", lambda s: s["mac"]),
    ("PORT", lambda s: s["port"]),
    ("ZONE", lambda s: s["zone"]),
    ("NODE", lambda s: s["node"]),
    ("STATE", lambda s: s["state"]),
    ("SINCE", lambda s: s["since"]),
    ("WAITS FOR", lambda s: s["message"]),
)
_cluster = click.option("--cluster", required=True)


def _waits(condition: dict[str, str]) -> bool:
    return condition["type"] == "Ready" and condition["status"] != "True"


@click.group(name="static-ip")
def static_ip() -> None:
    """Reserved addresses of node pools."""


@static_ip.command(name="list")
@_cluster
@output_option
@api_options
def list_(api: Api, cluster: str, output: str) -> None:
    """Static IP pools of a cluster."""
    show(output, api.list(api.path("clusters", cluster, "static-ip-pools")), COLUMNS)


@static_ip.command()
@click.argument("pool")
@_cluster
@output_option
@api_options
def get(api: Api, pool: str, cluster: str, output: str) -> None:
    """The slots of POOL: who has which address, and since when."""
    found = api.get(api.path("clusters", cluster, "static-ip-pools", pool))
    if output == "table":
        show(output, {"items": found["slots"]}, SLOT_COLUMNS)
    else:
        show(output, found, SLOT_COLUMNS)
