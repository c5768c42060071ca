"""Secrets, logs, host settings, identities: what is on disk and in /proc."""

from __future__ import annotations

import os
from pathlib import Path

from vks.local.platform import files, host
from vks.local.platform.logs import log_path, open_log, rotate, tail
from vks.local.platform.procfs import Identity, identity, parse_stat


def test_a_written_file_is_private_and_written_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret"
    assert files.write(path, "a")
    assert path.stat().st_mode & 0o777 == 0o600
    assert not files.write(path, "a")
    assert files.write(path, "b")


def test_a_digest_follows_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    before = files.digest([path])
    path.write_text("2")
    assert files.digest([path]) != before


def test_a_log_is_rotated_while_its_writer_goes_on(tmp_path: Path) -> None:
    writer = open_log(tmp_path, "etcd")
    os.write(writer, b"one\n" * 10)
    assert rotate(tmp_path, "etcd", limit=20)
    os.write(writer, b"two\n")
    os.close(writer)
    assert log_path(tmp_path, "etcd").read_text() == "two\n"
    assert (tmp_path / "etcd.log.1").read_text() == "one\n" * 10
    assert not rotate(tmp_path, "etcd", limit=20)


def test_tail_reads_only_the_end(tmp_path: Path) -> None:
    log_path(tmp_path, "a").write_text("".join(f"{n}\n" for n in range(50_000)))
    assert tail(tmp_path, "a", 2) == "49998\n49999\n"
    assert tail(tmp_path, "absent", 2) == ""


def test_a_command_name_with_brackets_does_not_confuse_the_identity() -> None:
    fields = " ".join(str(n) for n in range(4, 25))
    assert parse_stat(f"7 (a) b) S {fields}") == Identity(7, 22)
    assert parse_stat("7 (cut") is None


def test_this_process_has_an_identity() -> None:
    who = identity(os.getpid())
    assert who is not None
    assert who.pid == os.getpid()


def test_host_settings_are_raised_and_restored_with_the_last_region(tmp_path: Path) -> None:
    sysctl, record = tmp_path / "sys", tmp_path / "run" / "host.json"
    low, high = sysctl / "fs/inotify/max_user_instances", sysctl / "fs/inotify/max_user_watches"
    low.parent.mkdir(parents=True)
    low.write_text("128\n")
    high.write_text("9999999\n")
    homes = [tmp_path / "tokyo", tmp_path / "osaka"]
    for home in homes:
        home.mkdir()
        host.prepare(home, record, sysctl)
    assert int(low.read_text()) == 8192
    assert int(high.read_text()) == 9999999
    host.release(homes[0], record, sysctl)
    assert int(low.read_text()) == 8192
    host.release(homes[1], record, sysctl)
    assert int(low.read_text()) == 128
    assert not record.exists()
