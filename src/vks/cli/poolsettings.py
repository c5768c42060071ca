"""The settings of a node pool as options of `vks pool create` and `vks pool update`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from vks.cli.poolspec import NUMBERS, PoolSpecError, setting

_HELP = {
    "count": "Number of nodes.",
    "flavor": "Of each node.",
    "image": "Id or name; default the version's own.",
    "key": "A key pair of yours, for SSH; default the cluster's.",
    "root-volume": "GiB of each node's disk; default the flavor's.",
    "min": "Let the autoscaler choose: at least that many nodes.",
    "max": "At most that many.",
    "max-surge": "Nodes above the number while the pool rolls.",
    "max-unavailable": "Nodes below it.",
    "drain-timeout": "Seconds that evictions may hold up a node's deletion.",
    "static-ips": "How many addresses to reserve for the nodes, or which: comma-separated.",
    "pre": "File with shell that nodes run before kubeadm.",
    "post": "File with shell that nodes run once they are Ready.",
    "script-timeout": "Seconds for each of the two.",
    "on-failure": "Of a script: Ignore or FailNode.",
}


def setting_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options; the command gets the REST API's fields of those given as `settings`."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        settings: dict[str, Any] = {}
        for key in _HELP:
            value = kwargs.pop(key.replace("-", "_"))
            if value is not None:
                try:
                    setting(settings, key, str(value))
                except PoolSpecError as error:
                    raise click.BadParameter(str(error), param_hint=f"--{key}") from error
        zones, labels, taints = (kwargs.pop(name) for name in ("zones", "label", "taint"))
        if zones:
            settings["zones"] = [zone for zone in zones.split(",") if zone]
        if labels:
            settings["labels"] = dict(map(_label, labels))
        if taints:
            settings["taints"] = [*map(_taint, taints)]
        return function(*args, settings=settings, **kwargs)

    options = [
        click.option(f"--{key}", type=int if key in NUMBERS else str, help=text)
        for key, text in _HELP.items()
    ]
    options += [
        click.option("--zones", default="", help="Comma-separated; default every zone."),
        click.option("--label", multiple=True, help="KEY=VALUE, or KEY- to take it away."),
        click.option("--taint", multiple=True, help="KEY[=VALUE]:EFFECT, all that there are."),
    ]
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


def _label(text: str) -> tuple[str, str | None]:
    if text.endswith("-") and "=" not in text:
        return text[:-1], None
    key, found, value = text.partition("=")
    if not found:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--label")
    return key, value


def _taint(text: str) -> dict[str, str]:
    """As kubectl writes it."""
    left, found, effect = text.rpartition(":")
    if not found:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE:EFFECT", param_hint="--taint")
    key, _, value = left.partition("=")
    return {"key": key, "value": value, "effect": effect}
