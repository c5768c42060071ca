"""What a machine lacks, and how that is put right."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vks.local.commands import CommandError
from vks.local.doctor import examine, install_packages, lacking, packages
from vks.local.instance import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance("test", tmp_path / "home", tmp_path / "not" / "there" / "cache")


@pytest.fixture
def lacks_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One Debian package, whose program nobody has."""
    monkeypatch.setattr(packages, "PACKAGES", {"debian-thing": ("no-such-program", "tests")})


def apt_that(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    apt = directory / "apt-get"
    apt.write_text(f"#!/bin/sh\n{script}\n")
    apt.chmod(apt.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def test_a_missing_package_is_named_with_its_remedy(instance: Instance, lacks_one: None) -> None:
    finding = next(found for found in lacking(instance, "lxc") if found.subject == "packages")
    assert finding.detail == "missing debian-thing"
    assert finding.fix == "apt-get install debian-thing (or `vks doctor --install`)"


def test_who_is_not_root_is_told_so(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in [finding.subject for finding in lacking(instance, "lxc")]


def test_hollow_servers_need_neither_root_nor_packages(
    instance: Instance, lacks_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert lacking(instance, "hollow") == []


def test_little_memory_and_disk_are_warnings(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vks.local.doctor.checks.MEMORY_GIB", 1e6)
    monkeypatch.setattr("vks.local.doctor.checks.DISK_GIB", 1e9)
    found = {finding.subject: finding for finding in examine(instance, "lxc")}
    for subject in ("memory", "disk"):
        assert not found[subject].ok
        assert not found[subject].required
        assert found[subject].fix


def test_missing_packages_are_installed_in_one_go(
    lacks_one: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    apt_that(tmp_path, monkeypatch, f'echo "$DEBIAN_FRONTEND $*" >> {calls}')
    install_packages()
    assert calls.read_text().splitlines() == [
        "noninteractive update -q",
        "noninteractive install -q -y --no-install-recommends debian-thing",
    ]


def test_what_apt_says_when_it_fails_is_passed_on(
    lacks_one: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt_that(tmp_path, monkeypatch, "echo 'E: no network' >&2; exit 100")
    with pytest.raises(CommandError, match="E: no network"):
        install_packages()


def test_nothing_is_asked_of_apt_when_nothing_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "PACKAGES", {"dash": ("sh", "tests")})
    apt_that(tmp_path, monkeypatch, "exit 1")
    install_packages()
