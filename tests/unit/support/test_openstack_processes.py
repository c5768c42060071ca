"""The stack's processes are ended whoever started them, and nobody else's ever are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.openstack.layout import Layout, allocate_ports
from tests.support.openstack.processes import ProcessTable, StackError, is_running
from tests.support.openstack.stack import sweep


@pytest.fixture
def table(tmp_path: Path) -> ProcessTable:
    layout = Layout.create(tmp_path / "stack")
    return ProcessTable(layout.run, layout.log)


def started(table: ProcessTable, *argv: str) -> int:
    table.start("part", argv, {})
    table.wait_until(lambda: table.alive() == ["part"], "part", timeout=10)
    return int((table.run / "part.pid").read_text())


def test_everything_that_was_started_is_ended(table: ProcessTable) -> None:
    pid = started(table, "sleep", "60")
    table.kill_all()
    assert not is_running(pid)
    assert table.alive() == []


def test_children_end_with_their_parent(table: ProcessTable, tmp_path: Path) -> None:
    child = tmp_path / "child"
    started(table, "sh", "-c", f"sleep 60 & echo $! > {child}; wait")
    table.wait_until(lambda: child.exists() and child.read_text() != "", "child", timeout=10)
    table.kill_all()
    table.wait_until(lambda: not is_running(int(child.read_text())), "child's end", timeout=10)


def test_another_run_ends_what_a_killed_one_left(table: ProcessTable) -> None:
    pid = started(table, "sleep", "60")
    ProcessTable(table.run, table.log).kill_all()  # knows the files only
    assert not is_running(pid)


def test_a_number_that_was_given_out_again_is_left_alone(table: ProcessTable) -> None:
    with subprocess.Popen(["sleep", "60"], cwd="/") as stranger:
        (table.run / "part.pid").write_text(f"{stranger.pid}\n")
        assert table.alive() == []
        table.kill_all()
        assert stranger.poll() is None
        stranger.kill()


def test_a_part_that_ends_is_reported_with_its_log(table: ProcessTable) -> None:
    table.start("part", ("sh", "-c", "echo broken; exit 3"), {})
    with pytest.raises(StackError, match=r"(?s)part ended with 3.*broken"):
        table.wait_until(lambda: False, "part", timeout=10)


def test_a_stack_goes_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VKS_HOME", str(tmp_path))
    script = (
        "import os; from pathlib import Path;"
        "from tests.support.openstack.layout import Layout, stacks_home;"
        "from tests.support.openstack.processes import ProcessTable;"
        "from tests.support.openstack.stack import _identity;"
        "layout = Layout.create(stacks_home() / 'killed');"
        "(layout.state / 'owner').write_text(_identity(os.getpid()));"
        "table = ProcessTable(layout.run, layout.log);"
        "table.start('part', ('sleep', '60'), {});"
        "table.wait_until(lambda: table.alive() == ['part'], 'part', timeout=10);"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, timeout=30)
    state = tmp_path / "openstack" / "killed"
    pid = int((state / "run" / "part.pid").read_text())
    assert is_running(pid)
    sweep()
    assert not is_running(pid)
    assert not state.exists()


def test_ports_are_different_and_free() -> None:
    names = tuple(f"port-{number}" for number in range(20))
    ports = allocate_ports(names)
    assert set(ports) == set(names)
    assert len(set(ports.values())) == len(names)
