"""`vks demo`: the newcomer's tour, through the REST API. Repeating it costs seconds."""

from __future__ import annotations

import os
import subprocess
import time

import click

from vks.cli.api import Api
from vks.cli.cluster import newest_version
from vks.cli.errors import NOT_FOUND, CliError
from vks.cli.following import ENDED, finish
from vks.cli.local import instance_named, name_option
from vks.cli.session import sign_in

CLUSTER = "demo"
CONTROL_PLANES = 3
WORKERS = 3
WAIT_SECONDS = 1200.0


@click.command()
@name_option
def demo(name: str) -> None:
    """Create cluster `demo` in project `test` of the running local region and show its nodes."""
    from vks.local.assets.ensure import ensure_assets
    from vks.local.platform.files import write
    from vks.local.platform.layout import Layout
    from vks.local.progress import format_seconds, terminal_progress

    began = time.monotonic()
    layout = Layout(instance_named(name))
    api = Api(sign_in({**os.environ, "OS_CLIENT_CONFIG_FILE": str(layout.clouds_yaml)}, "demo"))
    ensure_cluster(api, name)
    issued = api.change("POST", api.path("clusters", CLUSTER, "kubeconfig"), {})
    path = layout.home / f"{CLUSTER}.kubeconfig"
    write(path, issued["kubeconfig"])
    kubectl = ensure_assets(layout.instance.cache, terminal_progress()).bin / "kubectl"
    shown = subprocess.run(
        [str(kubectl), f"--kubeconfig={path}", "get", "nodes", "-o", "wide"], check=False
    )
    if shown.returncode != 0:
        raise CliError("kubectl cannot list the nodes, see above")
    click.echo(f"\nReady after {format_seconds(time.monotonic() - began)}. What to try next:")
    click.echo(f"  export KUBECONFIG={path}    # then: {kubectl} get pods -A")
    click.echo("  kubectl apply -f examples/hello.yaml    # a web page from three zones")
    click.echo(f"  vks pool scale {CLUSTER} default --count 5")
    click.echo(f"  vks status    vks cluster list    vks cluster delete {CLUSTER}")


def ensure_cluster(api: Api, region: str) -> None:
    """Creates the cluster, or waits for the change that is under way. Raises CliError."""
    try:
        api.get(api.path("clusters", CLUSTER))
    except CliError as error:
        if error.exit_code != NOT_FOUND:
            raise
        finish(
            api,
            api.change("POST", api.path("clusters"), request(region, newest_version(api, region))),
            wait=True,
            timeout=WAIT_SECONDS,
        )
        return
    for operation in api.list(api.path("operations"), cluster=CLUSTER)["items"]:
        if operation["phase"] not in ENDED:
            finish(api, operation, wait=True, timeout=WAIT_SECONDS)


def request(region: str, version: str) -> dict[str, object]:
    """Three control planes and three workers, one of each per zone."""
    zones = [f"{region}-{number}" for number in (1, 2, 3)]
    return {
        "name": CLUSTER,
        "region": region,
        "version": version,
        "controlPlane": {"replicas": CONTROL_PLANES, "flavor": "medium", "zones": zones},
        "nodePools": [{"name": "default", "replicas": WORKERS, "flavor": "small", "zones": zones}],
    }
