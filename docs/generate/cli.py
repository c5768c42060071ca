"""The page on the `vks` command, out of click's own description of it."""

from __future__ import annotations

from collections.abc import Iterator

import click
from docs.generate.markdown import NOTICE, table

from vks.cli.main import EPILOG, cli

_INTRODUCTION = """
# The `vks` command

Credentials come from `clouds.yaml` (`--os-cloud`, `OS_CLOUD`), from `OS_*` variables, or, when
neither says anything, from the local region that runs on this machine (`VKS_LOCAL_REGION`,
default `tokyo`). `VKS_ENDPOINT` replaces the REST API's address in the cloud's catalog.
`VKS_HOME` and `VKS_CACHE` say where local regions and built programs are kept.

"""


def page() -> str:
    """The whole page."""
    codes = " ".join(EPILOG.split())
    with click.Context(cli, info_name="vks") as context:
        return NOTICE + _INTRODUCTION + codes + "\n" + "".join(_sections(context, cli))


def _sections(context: click.Context, command: click.Command) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield _section(context, command)
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is None:
            raise LookupError(f"{context.command_path} lists {name!r} and does not have it")
        with click.Context(found, info_name=name, parent=context) as inner:
            yield from _sections(inner, found)


def _section(context: click.Context, command: click.Command) -> str:
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    text = f"\n## {context.command_path}\n\n```\n{usage}\n```\n\n{command.help or ''}\n"
    rows = [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option) and "--help" not in parameter.opts
        if (record := parameter.get_help_record(context)) is not None
    ]
    if rows:
        text += "\n" + table(("Option", ""), ((f"`{name}`", help_) for name, help_ in rows))
    return text
