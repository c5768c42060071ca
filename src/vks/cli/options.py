"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from vks.cli.api import Api
from vks.cli.session import sign_in

WAIT_SECONDS = 1800.0


def api_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--project` and `--os-cloud`; the command gets an `Api` as its first argument."""

    @click.option("--project", help="Default: the credential's project.")
    @click.option("--os-cloud", help="Entry of clouds.yaml; default $OS_CLOUD, then `demo`.")
    @wraps(function)
    def wrapped(*args: Any, project: str | None, os_cloud: str | None, **kwargs: Any) -> Any:
        return function(Api(sign_in(cloud=os_cloud), project), *args, **kwargs)

    return wrapped


def wait_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--wait/--no-wait` and `--timeout` (seconds)."""
    function = click.option(
        "--timeout",
        type=click.FloatRange(min=0),
        default=WAIT_SECONDS,
        show_default=True,
        help="Give up waiting after that many seconds; the change goes on.",
    )(function)
    return click.option("--wait/--no-wait", default=True, show_default=True)(function)
