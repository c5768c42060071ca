"""The program that runs user scripts on nodes, as far as it needs no node.

What needs one (systemd, mounts, the kubelet's credential) is shown on real servers.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from vks.resources.verdamachine import USER_SCRIPT
from vks.service.provisioners.capi.userscript import runner

TOKEN = "abcdef.0123456789abcdef"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that stands for the node's file system."""
    for name in ("KEPT", "COPIES"):
        inside = tuple(f"{tmp_path}{pattern}" for pattern in getattr(runner, name))
        monkeypatch.setattr(runner, name, inside)
    monkeypatch.setattr(runner, "HERE", tmp_path / "user-script")
    monkeypatch.setattr(runner, "_quietly", lambda *_: False)
    (tmp_path / "user-script").mkdir()
    return tmp_path


def put(path: Path, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"token: {TOKEN}\n")
    path.chmod(mode)
    return path


def secrets(node: Path) -> list[Path]:
    return [file for file in node.rglob("*") if file.is_file() and TOKEN in file.read_text()]


def script(node: Path, phase: str, on_failure: str = "Ignore") -> None:
    (node / "user-script" / f"{phase}.gz").write_bytes(gzip.compress(b"true\n"))
    settings = {"timeoutSeconds": 5, "onFailure": on_failure}
    (node / "user-script" / "settings.json").write_text(json.dumps(settings))


def test_the_token_is_nowhere_on_the_disk_while_a_script_runs_and_back_afterwards(
    node: Path,
) -> None:
    config = put(node / "run/kubeadm/kubeadm-join-config.yaml", 0o640)
    instance = node / "var/lib/cloud/instances/i-1"
    for name in ("user-data.txt", "user-data.txt.i", "cloud-config.txt", "obj.pkl"):
        put(instance / name)
    put(node / "var/lib/cloud/seed/config_drive/openstack/latest/user_data")
    put(node / "run/cloud-init/instance-data-sensitive.json")
    seen = []
    with contextlib.suppress(RuntimeError), runner.off_the_disk():
        seen.append(secrets(node))
        raise RuntimeError("whatever happens")
    assert seen == [[]]
    assert secrets(node) == [config]
    assert config.stat().st_mode & 0o777 == 0o640


def test_a_script_runs_once_whatever_kills_the_runner(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(node, "pre")

    def dies(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "_run", dies)
    with pytest.raises(KeyboardInterrupt):
        runner.run_once("pre")
    monkeypatch.setattr(runner, "_run", lambda *_: pytest.fail("it ran again"))
    assert runner.run_once("pre") == {"outcome": "Interrupted"}


def test_a_script_is_unpacked_where_only_root_reads_it(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(node, "pre")
    monkeypatch.setattr(runner, "_run", lambda *_: {"outcome": "Succeeded", "exitCode": 0})
    runner.run_once("pre")
    unpacked = node / "user-script/pre"
    assert unpacked.read_bytes() == b"true\n"
    assert unpacked.stat().st_mode & 0o777 == 0o700


def test_a_phase_without_a_script_has_no_result(node: Path) -> None:
    assert runner.run_once("post") is None


@pytest.mark.parametrize(
    ("command", "outcome", "code", "lines"),
    [
        ("echo hello; exit 0", "Succeeded", 0, "hello\n"),
        ("echo out; echo err >&2; exit 3", "Failed", 3, "out\nerr\n"),
        ("printf 'a\\000b'", "Succeeded", 0, "ab"),
        ("printf '\\377'", "Succeeded", 0, "\ufffd"),
    ],
)
def test_exit_code_and_output_are_what_the_command_said(
    node: Path, command: str, outcome: str, code: int, lines: str
) -> None:
    assert runner._limited(["sh", "-c", command], 30, "none") == (outcome, code, lines)


def test_only_the_end_of_a_long_output_is_kept(node: Path) -> None:
    _, _, lines = runner._limited(["seq", "1", "100000"], 60, "none")
    assert len(lines) <= runner.TAIL
    assert lines.endswith("\n100000\n")


def test_a_script_that_takes_too_long_is_killed(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd kills the unit; here the stand-in does."""
    pidfile = node / "pid"

    def kill(*_: object) -> bool:
        os.kill(int(pidfile.read_text()), 9)
        return True

    monkeypatch.setattr(runner, "_quietly", kill)
    command = ["sh", "-c", f"echo $$ >{pidfile}; echo begun; exec tail -f /dev/null"]
    outcome, code, lines = runner._limited(command, 0.5, "none")
    assert (outcome, code, lines) == ("TimedOut", -9, "begun\n")


class Reports:
    """Stands for the API server as the runner sees it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def wait_ready(self) -> None:
        self.calls.append("ready")

    def report(self, report: Any) -> None:
        self.calls.append(json.loads(json.dumps(report)))


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    found = Reports()
    monkeypatch.setattr(runner, "Kubelet", lambda: found)
    return found


GOOD, BAD = {"outcome": "Succeeded", "exitCode": 0}, {"outcome": "Failed", "exitCode": 3}


@pytest.mark.parametrize(
    ("pre", "on_failure", "post"),
    [(GOOD, "FailNode", GOOD), (BAD, "Ignore", GOOD), (BAD, "FailNode", {"outcome": "Skipped"})],
)
def test_pre_is_reported_at_once_and_post_after_ready(
    node: Path,
    reports: Reports,
    monkeypatch: pytest.MonkeyPatch,
    pre: Any,
    on_failure: str,
    post: Any,
) -> None:
    for phase in ("pre", "post"):
        script(node, phase, on_failure)
    (node / "user-script/pre.json").write_text(json.dumps(pre))
    monkeypatch.setattr(runner, "_run", lambda *_: GOOD)
    runner.post()
    waited = [] if post["outcome"] == "Skipped" else ["ready"]
    last = {"complete": True, "pre": pre, "post": post}
    assert reports.calls == [{"complete": False, "pre": pre}, *waited, last]
    assert (node / "user-script/reported").exists()


def test_the_report_is_written_where_it_is_read() -> None:
    assert runner.ANNOTATION == USER_SCRIPT


def test_a_lost_result_of_pre_is_reported_as_such(node: Path, reports: Reports) -> None:
    script(node, "pre")
    runner.post()
    assert reports.calls[-1] == {"complete": True, "pre": {"outcome": "Interrupted"}}
