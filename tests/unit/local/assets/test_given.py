"""A directory of ready-made programs: all of it fits, or nothing of it is used."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from vks.cli.main import main
from vks.local.assets import ensure_assets
from vks.local.assets.given import AssetsError
from vks.local.progress import SilentProgress


def sums(directory: Path) -> dict[str, str]:
    """Its files, as they are."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def write_sums(directory: Path, found: dict[str, str]) -> None:
    lines = [f"{digest}  {name}\n" for name, digest in found.items()]
    (directory / "SHA256SUMS").write_text("".join(lines))


def refused(tmp_path: Path, directory: Path) -> str:
    """What the message says after the directory's name."""
    cache = tmp_path / "cache"
    with pytest.raises(AssetsError) as error:
        ensure_assets(cache, SilentProgress(), directory=directory)
    assert not (cache / "assets").exists(), "nothing is used"
    before, _, problems = str(error.value).partition(": ")
    assert before == str(directory)
    assert "\n" not in problems
    return problems


def test_all_that_is_missing_is_named_at_once(tmp_path: Path, given: Path) -> None:
    (given / "bin" / "etcd").unlink()
    (given / "bin" / "coredns").unlink()
    (given / "cluster-api/core/config").rename(given / "elsewhere")
    assert refused(tmp_path, given) == (
        "bin/etcd is missing; bin/coredns is missing; cluster-api/core/config is missing"
    )


def test_a_directory_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(AssetsError, match=r"/none is not a directory$"):
        ensure_assets(tmp_path / "cache", SilentProgress(), directory=tmp_path / "none")


def test_a_program_of_another_version_is_named(tmp_path: Path, given: Path) -> None:
    (given / "bin" / "kubelet").write_text("#!/bin/sh\necho Kubernetes v1.30.0\n")
    (given / "bin" / "etcdctl").chmod(0o644)
    problems = refused(tmp_path, given).split("; ")
    assert [problem.split(" does not run as v")[0] for problem in problems] == [
        "bin/etcdctl",
        "bin/kubelet",
    ]


def test_checksums_are_kept_where_there_are_any(tmp_path: Path, given: Path) -> None:
    found = sums(given)
    write_sums(given, found)
    webhooks = given / "cluster-api/core/config/webhook/manifests.yaml"
    right = webhooks.read_text()
    webhooks.write_text("tampered")
    write_sums(given, {**found, "bin/etcd": "0" * 64, "cluster-api/new": "0" * 64})
    assert refused(tmp_path, given) == (
        "bin/etcd does not have its checksum in SHA256SUMS; "
        "cluster-api/core/config/webhook/manifests.yaml does not have its checksum in SHA256SUMS; "
        "cluster-api/new is missing"
    )
    webhooks.write_text(right)
    write_sums(given, {name: digest for name, digest in found.items() if name != "bin/kubectl"})
    assert refused(tmp_path, given) == "bin/kubectl is not in SHA256SUMS"
    write_sums(given, {f"*./{name}": digest for name, digest in found.items()})
    assert ensure_assets(tmp_path / "cache", SilentProgress(), directory=given).bin.is_dir()


def test_a_program_with_a_wrong_checksum_is_not_run(tmp_path: Path, given: Path) -> None:
    write_sums(given, sums(given))
    ran = tmp_path / "ran"
    (given / "bin" / "kubelet").write_text(f"#!/bin/sh\ntouch {ran}\n")
    assert "bin/kubelet does not have its checksum" in refused(tmp_path, given)
    assert not ran.exists()


def test_other_programs_than_those_in_use_are_refused(tmp_path: Path, given: Path) -> None:
    cache = tmp_path / "cache"
    used = ensure_assets(cache, SilentProgress(), directory=given).bin
    assert ensure_assets(cache, SilentProgress(), directory=given).bin == used
    with (given / "bin" / "etcd").open("a") as etcd:
        etcd.write("# patched\n")
    with pytest.raises(AssetsError, match=rf"etcd differ from {used}.*VKS_CACHE$"):
        ensure_assets(cache, SilentProgress(), directory=given)
    assert "patched" not in (used / "etcd").read_text()


@pytest.mark.parametrize("command", ["up", "build"])
def test_the_command_says_it_in_one_line(
    command: str,
    tmp_path: Path,
    given: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VKS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (given / "bin" / "kube-proxy").unlink()
    hollow = ("--servers", "hollow") if command == "up" else ()
    monkeypatch.setattr(sys, "argv", ["vks", command, "--name", "t", *hollow, f"--assets={given}"])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert capsys.readouterr().err == f"Error: {given}: bin/kube-proxy is missing\n"
    assert not (tmp_path / "home" / "t").exists()
