"""`python -m tests.support.openstack up|down|status`: a real OpenStack to look at.

`up` prints the environment that points the `openstack` command at it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.support.openstack.layout import ADMIN_PASSWORD, REGION, Layout, stacks_home
from tests.support.openstack.stack import Stack, sweep, up


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.openstack", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status"))
    parser.add_argument("--name", default="default", help="several stacks run side by side")
    arguments = parser.parse_args(argv)
    state = stacks_home() / arguments.name
    if arguments.command == "up":
        return _up(arguments.name, state)
    return _down(state) if arguments.command == "down" else _status(state)


def _up(name: str, state: Path) -> int:
    if state.exists():
        if Stack.at(state).processes.alive():
            print(f"{name} is up already", file=sys.stderr)
            print(_environment(Layout.load(state)))
            return 0
        Stack.at(state).down()
    begin = time.monotonic()
    stack = up(name, Path(os.environ.get("VKS_CACHE", "/var/cache/vks")))
    print(f"{name} is up after {time.monotonic() - begin:.0f} s", file=sys.stderr)
    print(_environment(stack.layout))
    return 0


def _down(state: Path) -> int:
    sweep()
    if state.exists():
        Stack.at(state).down()
    return 0


def _status(state: Path) -> int:
    try:
        stack = Stack.at(state)
    except FileNotFoundError:
        print(f"no stack in {state}")
        return 1
    for name in stack.processes.alive():
        print(f"{name:16} {stack.layout.ports.get(name, '')}")
    print(_environment(stack.layout))
    return 0


def _environment(layout: Layout) -> str:
    values = {
        "OS_AUTH_URL": layout.endpoint("keystone"),
        "OS_USERNAME": "admin",
        "OS_PASSWORD": ADMIN_PASSWORD,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": REGION,
        "OS_IDENTITY_API_VERSION": "3",
    }
    return "\n".join(f"export {name}={value}" for name, value in values.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
