"""The `vks` command. Commands are imported when they are used, so that help is instant."""

from __future__ import annotations

import importlib
import sys

import click

#: Command -> (module, help). The module has a click command of the same name.
COMMANDS = {
    "cluster": ("vks.cli.cluster", "Create, list, get, scale, upgrade and delete clusters."),
    "pool": ("vks.cli.pool", "Node pools of a cluster."),
    "node": ("vks.cli.node", "Recreate, cordon, drain and delete single nodes."),
    "static-ip": ("vks.cli.static_ip", "Reserved addresses of node pools."),
    "kubeconfig": ("vks.cli.kubeconfig", "Credentials for a cluster."),
    "project": ("vks.cli.project", "The credential's project and its quotas."),
    "operation": ("vks.cli.operation", "Follow changes to their end."),
    "migration": ("vks.cli.migration", "Move clusters to Cluster API; for operators."),
    "region": ("vks.cli.region", "Regions and what they offer."),
    "up": ("vks.cli.local", "Start the local region."),
    "demo": ("vks.cli.demo", "A first cluster in the local region, step by step."),
    "down": ("vks.cli.local", "Stop the local region."),
    "status": ("vks.cli.local", "Programs, endpoints and credential files of the local region."),
    "logs": ("vks.cli.local", "Show the log of a program of the local region."),
    "build": ("vks.cli.local", "Obtain upstream programs and build the node image, start nothing."),
    "doctor": ("vks.cli.local", "Say what this machine lacks for a local region."),
}

EPILOG = """Exit codes: 0 done; 1 the change or the command failed; 2 wrong usage;
3 not found; 4 not signed in or not allowed; 5 the service cannot be reached or is busy;
6 refused: conflict or quota; 7 no end within --timeout."""


class LazyGroup(click.Group):
    """Knows names and help texts of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name.replace("-", "_"))
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, epilog=EPILOG)
def cli() -> None:
    """VKS: Kubernetes clusters on the Verda cloud."""


def main() -> None:
    """Entry point: one line per failure, never a traceback for a user's mistake."""
    from vks.cli.errors import CliError

    try:
        code = cli.main(prog_name="vks", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = 2
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.exceptions.Abort:
        code = 130
    except CliError as error:
        for line in error.lines():
            click.echo(line, err=True)
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)
