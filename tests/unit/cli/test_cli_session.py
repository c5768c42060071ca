"""Credentials, sign-in bodies, streams and failures of the command."""

from __future__ import annotations

import subprocess
import sys
from email.message import Message
from pathlib import Path

import pytest

from vks.cli import errors
from vks.cli.api import problem
from vks.cli.errors import CliError
from vks.cli.http import Answer, events
from vks.cli.session import account, token_request


def test_a_cloud_is_read_from_the_named_file(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds: {a: {auth: {auth_url: http://x, username: u}, region_name: r}}")
    found = account({"OS_CLIENT_CONFIG_FILE": str(path)}, "a")
    assert (found.auth["username"], found.region) == ("u", "r")
    assert "http://x" not in repr(found)


def test_variables_win_over_the_local_region() -> None:
    found = account(
        {"OS_AUTH_URL": "http://k/v3", "OS_USERNAME": "u", "VKS_HOME": "/nowhere"}, None
    )
    assert found.auth == {"auth_url": "http://k/v3", "username": "u"}


def test_a_missing_credential_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="vks up") as failed:
        account({"OS_CLIENT_CONFIG_FILE": str(tmp_path / "none")}, None)
    assert failed.value.exit_code == errors.DENIED


def test_an_application_credential_is_not_scoped() -> None:
    body = token_request({"application_credential_id": "i", "application_credential_secret": "s"})[
        "auth"
    ]
    assert body == {
        "identity": {
            "methods": ["application_credential"],
            "application_credential": {"secret": "s", "id": "i"},
        }
    }


def test_a_password_is_scoped_to_the_project() -> None:
    body = token_request({"username": "u", "password": "p", "project_id": "x"})["auth"]
    assert body["scope"] == {"project": {"id": "x"}}
    assert body["identity"]["password"]["user"]["domain"] == {"name": "Default"}


def test_events_are_split_and_signs_of_life_are_told_apart() -> None:
    lines = iter([": keep-alive", "", "event: ADDED", "data: {", "data: }", "", "data: cut"])
    assert list(events(lines)) == [("", ""), ("ADDED", "{\n}")]


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (404, "not_found", errors.NOT_FOUND),
        (422, "invalid", errors.USAGE),
        (422, "quota_exceeded", errors.REFUSED),
        (409, "already_exists", errors.REFUSED),
        (401, "unauthenticated", errors.DENIED),
        (503, "cloud_unavailable", errors.UNAVAILABLE),
    ],
)
def test_a_problem_names_the_field_and_sets_the_exit_code(
    status: int, code: str, exit_code: int
) -> None:
    text = f'{{"detail":"no","code":"{code}","errors":[{{"field":"a.b","message":"bad"}}]}}'
    failed = problem(Answer(status, Message(), text.encode()))  # type: ignore[arg-type]
    assert failed.exit_code == exit_code
    assert failed.lines() == [f"Error: no ({code})", "  a.b: bad"]


def test_an_answer_that_is_no_problem_document_is_still_one_line() -> None:
    failed = problem(Answer(502, Message(), b"<html>"))  # type: ignore[arg-type]
    assert failed.lines() == ["Error: the service answers 502"]


def test_help_imports_no_heavy_library() -> None:
    code = (
        "import sys; from vks.cli.main import cli; cli.main(['--help'], standalone_mode=False);"
        "sys.exit(bool({'rich','yaml','aiohttp','cryptography','msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0
