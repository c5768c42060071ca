"""`vks kubeconfig save | exec-credential`."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import click

from vks.cli.api import Api
from vks.cli.errors import CliError
from vks.cli.options import api_options

ttl_option = click.option(
    "--ttl", type=click.IntRange(600, 604800), default=43200, show_default=True, help="Seconds."
)


@click.group()
def kubeconfig() -> None:
    """Credentials for a cluster."""


@kubeconfig.command()
@click.argument("cluster")
@click.option("--file", "target", type=click.Path(path_type=Path), help="- for standard output.")
@ttl_option
@api_options
def save(api: Api, cluster: str, target: Path | None, ttl: int) -> None:
    """Write a kubeconfig with a short-lived certificate and print its path."""
    answer = _issue(api, cluster, ttl)
    if target is not None and str(target) == "-":
        click.echo(answer["kubeconfig"], nl=False)
        return
    path = target or Path.home() / ".kube" / f"vks-{api.project}-{cluster}.yaml"
    try:
        _write(path, answer["kubeconfig"])
    except OSError as error:
        raise CliError(f"cannot write {path}: {error.strerror}") from error
    click.echo(path)
    click.echo(f"valid until {answer['expiresAt']}; export KUBECONFIG={path}", err=True)


def _write(path: Path, text: str) -> None:
    """In one step, and for nobody else to read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(path.name + ".tmp")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


@kubeconfig.command(name="exec-credential")
@click.argument("cluster")
@ttl_option
@api_options
def exec_credential(api: Api, cluster: str, ttl: int) -> None:
    """Print an ExecCredential, for the `exec` entry of a kubeconfig's user."""
    answer = _issue(api, cluster, ttl)
    click.echo(json.dumps(credential(answer["kubeconfig"], answer["expiresAt"])))


def credential(text: str, expires: str) -> dict[str, Any]:
    """client.authentication.k8s.io/v1 out of an issued kubeconfig. Raises CliError."""
    import yaml

    user = yaml.safe_load(text)["users"][0]["user"]
    try:
        return {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {
                "expirationTimestamp": expires,
                "clientCertificateData": _decoded(user["client-certificate-data"]),
                "clientKeyData": _decoded(user["client-key-data"]),
            },
        }
    except KeyError as error:
        raise CliError("the service issued no client certificate") from error


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def _issue(api: Api, cluster: str, ttl: int) -> dict[str, Any]:
    return api.change("POST", api.path("clusters", cluster, "kubeconfig"), {"ttlSeconds": ttl})
