"""A user's mistakes end in one line and a documented exit code, never in a traceback."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from vks.cli.main import main


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "VKS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VKS_HOME", str(tmp_path / "regions"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def portal() -> Iterator[str]:
    """What answers every request with a page, as a hotel's network does."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(201)
            self.send_header("X-Subject-Token", "t")
            self.end_headers()
            self.wfile.write(b"<html>Welcome")

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v3"
        server.shutdown()


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["vks", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert isinstance(ended.value.code, int)
    return ended.value.code, shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("clutser list", 2, "clutser"),
        ("cluster create", 2, "NAME"),
        ("cluster create a --control-plane many", 2, "--control-plane"),
        ("cluster create a --pool name=b", 2, "count, flavor missing"),
        ("cluster create a --pool name=b;count=1;flavor=c;color=red", 2, "'color' is unknown"),
        ("kubeconfig save a --ttl 5", 2, "--ttl"),
        ("cluster list -o xml", 2, "-o"),
        ("cluster list", 4, "start a local region by `vks up`"),
        ("cluster list --os-cloud nowhere", 4, "'nowhere' is in no clouds.yaml"),
        ("up --name Not_A_Name", 2, "--name"),
        ("logs etcd", 3, "no log of 'etcd'; there are: none"),
        ("demo --name nowhere", 4, "`vks up`"),
    ],
)
def test_wrong_usage_names_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    code: int,
    says: str,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    exit_code, shown = run(monkeypatch, capsys, *arguments.split())
    assert (exit_code, says in shown) == (code, True), shown


@pytest.mark.parametrize(
    ("entry", "code", "says"),
    [
        ({}, 4, "has no auth"),
        ({"auth": {"username": "a"}}, 4, "no auth_url"),
        ({"auth": {"auth_url": "ftp://keystone"}}, 5, "'ftp://keystone/v3' is not an http(s) URL"),
        ({"auth": {"auth_url": "http://[keystone"}}, 5, "is no URL"),
        ({"auth": {"auth_url": "http://127.0.0.1:1"}}, 5, "cannot reach http://127.0.0.1:1"),
        (
            {"auth": {"auth_url": "https://127.0.0.1:1"}, "cacert": "/no/such/file"},
            5,
            "cannot use cacert /no/such/file",
        ),
    ],
)
def test_a_credential_that_cannot_work_says_why(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    entry: dict[str, object],
    code: int,
    says: str,
) -> None:
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"mine": entry}}))
    exit_code, shown = run(monkeypatch, capsys, "cluster", "list", "--os-cloud", "mine")
    assert (exit_code, says in shown) == (code, True), shown


def test_an_answer_that_is_a_page_is_quoted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], portal: str
) -> None:
    monkeypatch.setenv("OS_AUTH_URL", portal)
    exit_code, shown = run(monkeypatch, capsys, "cluster", "list")
    assert exit_code == 5
    assert "no JSON: '<html>Welcome'" in shown


def test_a_reader_that_has_seen_enough_gets_no_complaint() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    vks = Path(sys.executable).with_name("vks")
    done = subprocess.run([vks, "--help"], stdout=writer, stderr=subprocess.PIPE, timeout=30)
    os.close(writer)
    assert done.stderr == b""
