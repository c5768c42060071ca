"""A node is made like its plan, again after any crash: files on disk, commands as recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vks.legacy.agent import node
from vks.legacy.agent.node import PlanError


class Systemd:
    """Records what was asked of the machine. `dies_at` is the command that is never returned
    from."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.dies_at = ""
        self.fails = ""
        self.images: dict[str, str] = {}

    def run(self, *command: str) -> str:
        text = " ".join(command)
        self.calls.append(text)
        if self.dies_at and self.dies_at in text:
            raise KeyboardInterrupt
        if self.fails and self.fails in text:
            raise PlanError(text)
        if " mount " in text:
            program = Path(command[-1], "usr/local/bin/kube-proxy")
            program.parent.mkdir(parents=True)
            program.write_text(self.images[command[-2]])
        return ""

    def asked(self, word: str) -> list[str]:
        return [call for call in self.calls if word in call]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    fake = Systemd()
    monkeypatch.setattr(node, "_run", fake.run)
    monkeypatch.setattr(node, "_state", lambda name: "active")
    for name in ("_UNITS", "_STATE", "_MOUNT"):
        monkeypatch.setattr(node, name, tmp_path / name)
    (tmp_path / "_UNITS").mkdir()
    return fake


def plan(root: Path, *, content: str = "v1", services: tuple[str, ...] = ("legacy-a",)) -> Any:
    path = str(root / "etc" / "secret")
    return {
        "digest": "d",
        "programs": [],
        "files": [{"path": path, "content": content, "mode": 0o600}],
        "services": [{"name": s, "unit": f"[{s}]\n", "files": [path]} for s in services],
    }


def test_files_are_private_and_services_started_once(systemd: Systemd, tmp_path: Path) -> None:
    for _ in range(3):
        node.apply(plan(tmp_path))
    secret = tmp_path / "etc" / "secret"
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("v1", 0o600)
    assert systemd.asked("restart") == ["systemctl restart --no-block legacy-a"]
    assert len(systemd.asked("enable")) == 1


def test_a_changed_file_restarts_the_services_that_read_it(
    systemd: Systemd, tmp_path: Path
) -> None:
    node.apply(plan(tmp_path))
    node.apply(plan(tmp_path, content="v2"))
    assert len(systemd.asked("restart")) == 2


def test_a_restart_that_was_cut_off_is_done_again(systemd: Systemd, tmp_path: Path) -> None:
    node.apply(plan(tmp_path))
    systemd.dies_at = "restart"
    with pytest.raises(KeyboardInterrupt):
        node.apply(plan(tmp_path, content="v2"))
    systemd.dies_at = ""
    node.apply(plan(tmp_path, content="v2"))
    assert len(systemd.asked("restart")) == 3


def test_a_service_that_somebody_stopped_is_started(
    systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.apply(plan(tmp_path))
    monkeypatch.setattr(node, "_state", lambda name: "inactive")
    node.apply(plan(tmp_path))
    assert systemd.asked("systemctl start") == ["systemctl start --no-block legacy-a"]


def test_what_the_plan_does_not_name_any_more_stops(systemd: Systemd, tmp_path: Path) -> None:
    node.apply(plan(tmp_path, services=("legacy-a", "legacy-b")))
    foreign = tmp_path / "_UNITS" / "vks-legacy-agent.service"
    foreign.write_text("mine")
    node.apply(plan(tmp_path))
    assert systemd.asked("--now") == ["systemctl disable --quiet --now legacy-b"]
    assert not (tmp_path / "_UNITS" / "legacy-b.service").exists()
    assert foreign.exists()


def test_a_program_comes_out_of_its_image_once(systemd: Systemd, tmp_path: Path) -> None:
    target = tmp_path / "bin" / "kube-proxy"
    made = plan(tmp_path)
    systemd.images["registry/kube-proxy:v1"] = "#!program"
    made["programs"] = [
        {
            "image": "registry/kube-proxy:v1",
            "source": "usr/local/bin/kube-proxy",
            "target": str(target),
        }
    ]
    node.apply(made)
    node.apply(made)
    assert target.read_text() == "#!program"
    assert target.stat().st_mode & 0o777 == 0o755
    # First what a killed run may have left mounted.
    verbs = [call.split()[4] for call in systemd.asked("ctr ")]
    assert verbs == ["unmount", "mount", "unmount"]


def test_a_failure_names_what_failed(systemd: Systemd, tmp_path: Path) -> None:
    systemd.fails = "restart"
    with pytest.raises(PlanError, match="restart --no-block legacy-a"):
        node.apply(plan(tmp_path))
