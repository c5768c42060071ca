"""`vks up | down | status | logs | doctor`: the region on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vks.cli.errors import FAILED, NOT_FOUND, CliError
from vks.cli.output import output_option, show
from vks.local.instance import Instance, InstanceNameError

if TYPE_CHECKING:
    from vks.local.platform.layout import ServerKind

DEFAULT_NAME = "tokyo"

name_option = click.option(
    "--name",
    default=DEFAULT_NAME,
    envvar="VKS_LOCAL_REGION",
    show_default=True,
    help="Which local region; default also $VKS_LOCAL_REGION.",
)


def instance_named(name: str) -> Instance:
    try:
        return Instance.named(name)
    except InstanceNameError as error:
        raise click.BadParameter(str(error), param_hint="--name") from error


@contextmanager
def _explained() -> Iterator[None]:
    """What goes wrong below is the machine's state, not a bug: one message, no traceback."""
    from vks.local.assets.cluster_api import ManifestError
    from vks.local.assets.given import AssetsError
    from vks.local.assets.toolchain import ToolchainError
    from vks.local.assets.versions import UpstreamError
    from vks.local.commands import CommandError
    from vks.local.fabric import FabricError
    from vks.local.fabric.command import CommandError as FabricCommandError
    from vks.local.image import PoolError
    from vks.local.platform.region import RegionError
    from vks.local.servers import ServerError

    building = (
        AssetsError,
        CommandError,
        ManifestError,
        ToolchainError,
        UpstreamError,
        PoolError,
    )
    running = (FabricError, FabricCommandError, RegionError, ServerError, OSError)
    try:
        yield
    except (*building, *running) as error:
        raise CliError(str(error), FAILED) from error


def _pinned(
    _context: click.Context, _option: click.Parameter, versions: tuple[str, ...]
) -> tuple[str, ...]:
    from vks.local.assets import kubernetes_projects

    known = kubernetes_projects()
    if unknown := sorted({*versions} - known.keys()):
        raise click.BadParameter(f"{', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    return versions


kubernetes_option = click.option(
    "--kubernetes",
    multiple=True,
    metavar="VERSION",
    callback=_pinned,
    help="A release to offer beside the newest; repeatable. Built the first time (8 minutes).",
)


assets_option = click.option(
    "--assets",
    type=click.Path(path_type=Path),
    help="A directory with the upstream programs: nothing is built or downloaded then.",
)


def _need_root() -> None:
    if os.geteuid() != 0:
        raise CliError(
            "real servers need root: try `sudo vks …`, or `vks up --servers hollow`", FAILED
        )


servers_option = click.option(
    "--servers",
    type=click.Choice(["lxc", "hollow", "records"]),
    help="What a server is: a system container (lxc, needs root), nothing that boots but all"
    " that its user data leads to (hollow), or only a record, to try the cloud's API."
    "  [default: what the region has, else lxc]",
)


@click.command()
@name_option
@servers_option
@kubernetes_option
@assets_option
@click.option(
    "--legacy",
    is_flag=True,
    help="With the legacy provisioner, and what migrates its clusters. It stays once it is there.",
)
@click.option(
    "--hollow-workers",
    is_flag=True,
    help="With flavors of hollow servers (hollow-small, …) for workers of real control planes: they"
    " join, and kwok plays their pods. They stay once they are there.",
)
@click.option(
    "--start-delay",
    type=click.FloatRange(min=0, max=60),
    default=0.5,
    show_default=True,
    help="Seconds that each step of a hollow server's start takes.",
)
def up(
    name: str,
    servers: ServerKind | None,
    kubernetes: tuple[str, ...],
    assets: Path | None,
    legacy: bool,
    hollow_workers: bool,
    start_delay: float,
) -> None:
    """Start the local region; quick when it runs already."""
    from vks.local.doctor import lacking
    from vks.local.platform import region
    from vks.local.progress import terminal_progress

    instance = instance_named(name)
    with _explained():
        kind = region.servers_of(instance, servers)
    if kind != "hollow":
        _need_root()
    if missing := lacking(instance, kind):
        raise CliError(
            "this machine lacks something, `vks doctor --install` may help",
            FAILED,
            tuple(f"{finding.subject}: {finding.fix}" for finding in missing),
        )
    with _explained():
        region.up(
            instance,
            terminal_progress(),
            kind,
            kubernetes,
            start_delay,
            assets,
            legacy=legacy,
            hollow_workers=hollow_workers,
        )


@click.command()
@name_option
@kubernetes_option
@assets_option
def build(name: str, kubernetes: tuple[str, ...], assets: Path | None) -> None:
    """Obtain the upstream programs and build the node images; start nothing.

    `vks up` does it by itself: this is for having it done before.
    """
    _need_root()
    from vks.local.assets.ensure import ensure_assets
    from vks.local.image import Pool
    from vks.local.platform.region import node_images
    from vks.local.progress import terminal_progress

    progress, cache = terminal_progress(), instance_named(name).cache
    with _explained():
        programs = ensure_assets(cache, progress, directory=assets)
        versions = [programs.versions.kubernetes, *kubernetes]
        node_images(cache, programs, list(dict.fromkeys(versions)), progress, assets)
        Pool(cache).unmount_if_unused()


@click.command()
@name_option
@click.option("--purge", is_flag=True, help="Remove servers, namespaces and files too.")
def down(name: str, purge: bool) -> None:
    """Stop the local region. Built programs and images stay in the cache."""
    from vks.local.platform import region
    from vks.local.progress import terminal_progress

    instance = instance_named(name)
    with _explained():
        if region.servers_of(instance) != "hollow":
            _need_root()
        region.down(instance, terminal_progress(), purge=purge)


@click.command()
@name_option
@output_option
def status(name: str, output: str) -> None:
    """Programs, endpoints, credential files and kubeconfigs."""
    from vks.local.platform.status import describe

    described = describe(instance_named(name))
    if output != "table":
        show(output, described, ())
        return
    click.echo(f"Region {name}: {described['phase']}")
    if "endpoints" not in described:
        return
    for title, url in described["endpoints"].items():
        click.echo(f"  {title:<12} {url}")
    for title in ("kubeconfig", "cloudsYaml", "logs"):
        click.echo(f"  {title:<12} {described[title]}")
    click.echo()
    show(
        "table",
        {"items": described["processes"]},
        (
            ("PROCESS", lambda p: p["name"]),
            ("PHASE", lambda p: p["phase"]),
            ("PID", lambda p: p["pid"] or ""),
            ("RESTARTS", lambda p: p["restarts"]),
            ("READY SINCE", lambda p: p["ready_since"]),
            ("DETAIL", lambda p: p["detail"]),
        ),
    )


@click.command()
@name_option
@click.argument("process")
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(min=1))
def logs(name: str, process: str, lines: int) -> None:
    """Show the end of PROCESS's log (see `vks status` for names; `supervisor` is one too)."""
    from vks.local.platform.logs import log_path, tail

    instance = instance_named(name)
    known = sorted(path.stem for path in instance.logs.glob("*.log"))
    if process not in known:
        raise CliError(f"no log of {process!r}; there are: {', '.join(known) or 'none'}", NOT_FOUND)
    click.echo(tail(instance.logs, process, lines), nl=False)
    click.echo(f"(whole file: {log_path(instance.logs, process)})", err=True)


@click.command()
@name_option
@servers_option
@click.option("--install", is_flag=True, help="Install the missing Debian packages by apt.")
def doctor(name: str, servers: ServerKind | None, install: bool) -> None:
    """Say what this machine lacks, one line each, with the fix."""
    from vks.local.doctor import examine, install_packages

    if install:
        _need_root()
        with _explained():
            install_packages()
    findings = examine(instance_named(name), servers or "lxc")
    for finding in findings:
        mark = "ok  " if finding.ok else "MISS" if finding.required else "warn"
        line = f"{mark}  {finding.subject}: {finding.detail}"
        click.echo(line if finding.ok else f"{line}; {finding.fix}")
    if any(not finding.ok and finding.required for finding in findings):
        raise CliError("this machine cannot run a local region as it is", FAILED)
