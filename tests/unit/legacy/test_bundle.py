"""The agent as it travels: small, complete, and nothing but the standard library."""

from __future__ import annotations

import ast
import base64
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

from vks.legacy.bundle import agent_archive, user_data
from vks.verda.compute import MAX_USER_DATA

HOSTILE = "a'b\"c\n{{ds}} $(x) \\ : - #"


def test_every_import_of_the_agent_is_in_the_archive_or_the_standard_library() -> None:
    archive = zipfile.ZipFile(io.BytesIO(agent_archive()))
    names = set(archive.namelist())
    for name in names:
        for found in ast.walk(ast.parse(archive.read(name))):
            modules = [a.name for a in found.names] if isinstance(found, ast.Import) else []
            modules += [found.module or ""] if isinstance(found, ast.ImportFrom) else []
            for module in modules:
                top = module.partition(".")[0]
                path = module.replace(".", "/")
                inside = {f"{path}.py", f"{path}/__init__.py"} & names
                assert top in sys.stdlib_module_names or inside, f"{name} imports {module}"


def test_the_archive_runs_without_this_project(tmp_path: Path) -> None:
    path = tmp_path / "agent.pyz"
    path.write_bytes(agent_archive())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(path), str(tmp_path / "missing")],
        capture_output=True,
        text=True,
    )
    assert "FileNotFoundError" in done.stderr


def test_the_same_code_is_the_same_bytes() -> None:
    assert agent_archive() == agent_archive()


def test_who_has_the_key_may_log_in_and_without_one_nobody() -> None:
    given = ("wss://hub:7444/", "CA", "p-test", "node-1", "TOKEN")
    without, document = (yaml.safe_load(user_data(*given, key)) for key in (None, "ssh-rsa AA=="))
    (user,) = document.pop("users")
    assert (user["name"], user["ssh_authorized_keys"]) == ("vks", ["ssh-rsa AA=="])
    assert document == without


def test_user_data_is_data_and_leaves_room() -> None:
    raw = user_data("wss://hub:7444/", HOSTILE, "p-test", "node-1", HOSTILE)
    assert len(base64.b64encode(raw)) < MAX_USER_DATA // 2
    document = yaml.safe_load(raw)
    files = {file["path"]: file for file in document["write_files"]}
    settings = yaml.safe_load(files["/etc/vks-legacy/agent.json"]["content"])
    assert settings == {
        "url": "wss://hub:7444/v1/agents/p-test/node-1",
        "token": HOSTILE,
        "ca": HOSTILE,
    }
    assert files["/etc/vks-legacy/agent.json"]["permissions"] == "0600"
