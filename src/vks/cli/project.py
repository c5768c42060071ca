"""`vks project …`."""

from __future__ import annotations

import click

from vks.cli.api import Api
from vks.cli.options import api_options
from vks.cli.output import output_option, show

COLUMNS = (("NAME", lambda p: p["name"]), ("ID", lambda p: p["id"]))
QUOTA_COLUMNS = (
    ("REGION", lambda q: q["region"]),
    ("QUOTA", lambda q: q["name"]),
    ("USED", lambda q: q["used"]),
    ("LIMIT", lambda q: "none" if q["limit"] is None else q["limit"]),
)


@click.group()
def project() -> None:
    """The credential's project and its quotas."""


@project.command(name="list")
@output_option
@api_options
def list_(api: Api, output: str) -> None:
    """The project that the credential is for."""
    show(output, api.list("/v1/projects"), COLUMNS)


@project.command()
@output_option
@api_options
def get(api: Api, output: str) -> None:
    """What the project may use of the cloud, and uses (RAM in MiB)."""
    found = api.get(api.path())
    if output != "table":
        show(output, found, COLUMNS)
        return
    rows = [
        {"region": entry["region"], "name": name, **usage}
        for entry in found["regions"]
        for name, usage in entry["quotas"].items()
    ]
    show(output, {"items": rows}, QUOTA_COLUMNS)
