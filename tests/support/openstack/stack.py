"""Brings a whole stack up, from nothing or from the snapshot of an earlier one, and down."""

from __future__ import annotations

import os
import shutil
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.support.openstack import database, seed
from tests.support.openstack.commands import Commands
from tests.support.openstack.install import Installation, ensure_installed, locked
from tests.support.openstack.layout import Layout, stacks_home
from tests.support.openstack.processes import ProcessTable
from tests.support.openstack.render import WSGI_MODULES, compute_hosts, render_config

#: What a snapshot consists of, relative to a stack's directory.
_DATA = ("mysql", "keystone", "glance", *compute_hosts())


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    layout: Layout
    processes: ProcessTable

    @classmethod
    def at(cls, state: Path) -> Stack:
        """The stack in that directory. Raises FileNotFoundError if there is none."""
        layout = Layout.load(state)
        return cls(layout, ProcessTable(layout.run, layout.log))

    def down(self) -> None:
        """End every process and remove every file of it."""
        self.processes.kill_all()
        shutil.rmtree(self.layout.state)


def up(name: str, cache: Path, owner: int | None = None) -> Stack:
    """Start a stack and return when it schedules servers in every zone.

    `owner` is the process that the stack must not outlive: the next start of any stack removes
    it when that process is gone. Raises FileExistsError when `name` is up, StackError with the
    end of the log when a part does not start; nothing is left running then.
    """
    sweep()
    installation = ensure_installed(cache)
    if not installation.snapshot.exists():
        with locked(installation.root):
            if not installation.snapshot.exists():
                _make_snapshot(installation)
    return _start(name, installation, owner)


def sweep() -> None:
    """Remove the stacks whose owner was killed before it could."""
    for owner_file in stacks_home().glob("*/owner"):
        if not _is_alive(owner_file.read_text()):
            Stack.at(owner_file.parent).down()


def _start(name: str, installation: Installation, owner: int | None) -> Stack:
    started = time.time()
    stack, commands = _prepare(name, installation, owner)
    layout, processes = stack.layout, stack.processes
    try:
        for part in _DATA:
            shutil.copytree(installation.snapshot / part, layout.state / part)
        commands.start_mariadb()
        commands.start_rabbitmq()
        processes.wait_until(lambda: database.answers(commands), "mariadb")
        database.relocate(commands)
        commands.start_apis()
        processes.wait_until(lambda: _listens(layout, "rabbitmq"), "rabbitmq")
        processes.wait_until(lambda: _serves(layout, "keystone"), "keystone")
        commands.start_nova_control()
        _wait_reported(commands, {"nova-conductor": 1, "nova-scheduler": 1}, started)
        commands.start_computes()
        for service in WSGI_MODULES:
            processes.wait_until(partial(_serves, layout, service), service)
        _wait_reported(commands, {"nova-compute": len(compute_hosts())}, started)
    except BaseException:
        processes.kill_all()
        raise
    return stack


def _make_snapshot(installation: Installation) -> None:
    """A stack from empty databases, seeded, stopped, and kept."""
    started = time.time()
    stack, commands = _prepare(f"seed-{os.getpid()}", installation, os.getpid())
    layout, processes = stack.layout, stack.processes
    try:
        commands.start_rabbitmq()
        database.initialise(commands)
        commands.start_mariadb()
        processes.wait_until(lambda: database.answers(commands), "mariadb")
        database.create_schemas(commands)
        database.migrate(commands)
        commands.start_apis()
        processes.wait_until(lambda: _serves(layout, "keystone"), "keystone")
        with seed.connect_admin(layout) as cloud:
            seed.seed_identity(cloud, layout)
        processes.wait_until(lambda: _listens(layout, "rabbitmq"), "rabbitmq")
        commands.start_nova_control()
        _wait_reported(commands, {"nova-conductor": 1, "nova-scheduler": 1}, started)
        commands.start_computes()
        for service in WSGI_MODULES:
            processes.wait_until(partial(_serves, layout, service), service)
        _wait_reported(commands, {"nova-compute": len(compute_hosts())}, started)
        processes.wait_until(lambda: _providers(commands) == len(compute_hosts()), "placement")
        database.discover_hosts(commands)
        with seed.connect_admin(layout) as cloud:  # a new one: the catalog has grown
            seed.seed_image(cloud)
            seed.seed_network(cloud)
            seed.seed_compute(cloud)
        processes.stop("mariadb")  # first and alone by TERM: its files must be whole
        processes.kill_all()
        _keep(layout, installation.snapshot)
    except BaseException:
        processes.kill_all()
        raise
    stack.down()


def _prepare(name: str, installation: Installation, owner: int | None) -> tuple[Stack, Commands]:
    layout = Layout.create(stacks_home() / name)
    if owner is not None:
        (layout.state / "owner").write_text(_identity(owner))
    for directory in ("nova", "neutron"):
        (layout.state / directory).mkdir()
    render_config(layout, installation)
    processes = ProcessTable(layout.run, layout.log)
    return Stack(layout, processes), Commands(layout, installation, processes)


def _keep(layout: Layout, snapshot: Path) -> None:
    partial = snapshot.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for part in _DATA:
        shutil.copytree(layout.state / part, partial / part)
    partial.rename(snapshot)


def _wait_reported(commands: Commands, wanted: dict[str, int], since: float) -> None:
    """Wait until that many Nova services of each kind reported after `since` (Unix time)."""
    sql = (
        "select `binary`, count(*) from nova_cell1.services "
        f"where last_seen_up >= from_unixtime({since}) group by `binary`;"
    )

    def reported() -> bool:
        rows = dict(row.split("\t") for row in database.query(commands, sql))
        return all(int(rows.get(binary, 0)) >= count for binary, count in wanted.items())

    commands.processes.wait_until(reported, f"reports of {', '.join(wanted)}")


def _providers(commands: Commands) -> int:
    (count,) = database.query(commands, "select count(*) from placement.resource_providers")
    return int(count)


def _listens(layout: Layout, part: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", layout.ports[part]), timeout=5):
            return True
    except OSError:
        return False


def _serves(layout: Layout, service: str) -> bool:
    """Whether the API answers at its root, which needs no token."""
    url = f"http://127.0.0.1:{layout.ports[service]}/"
    try:
        with urllib.request.urlopen(url, timeout=30):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, urllib.error.URLError):
        return False


def _identity(pid: int) -> str:
    """A process' number and start time: a number alone may be given out again."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return f"{pid} {fields[19]}"


def _is_alive(identity: str) -> bool:
    try:
        return _identity(int(identity.split()[0])) == identity
    except (FileNotFoundError, ProcessLookupError):
        return False
