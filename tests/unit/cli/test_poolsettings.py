"""Options of `vks pool create` and `update`, as the REST API gets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from vks.cli.poolsettings import setting_options


@click.command()
@setting_options
def command(settings: dict[str, Any]) -> None:
    click.echo(json.dumps(settings))


def parsed(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def test_what_is_not_given_is_not_sent() -> None:
    assert parsed() == {}


def test_settings_go_where_the_rest_api_has_them(tmp_path: Path) -> None:
    pre = tmp_path / "pre.sh"
    pre.write_bytes("#!/bin/sh\r\necho 'ü' {{ x }}\n".encode())
    given = [
        *("--count", "3", "--flavor", "small", "--key", "k", "--root-volume", "50"),
        *("--min", "0", "--max", "5"),
        *("--max-surge", "0", "--drain-timeout", "9", "--pre", str(pre), "--script-timeout", "7"),
        *("--on-failure", "FailNode", "--zones", "a,b", "--label", "x=y", "--label", "z-"),
        *("--taint", "gpu=a:NoSchedule", "--taint", "spot:NoExecute"),
    ]
    assert parsed(*given) == {
        "replicas": 3,
        "flavor": "small",
        "keyName": "k",
        "rootVolume": {"sizeGiB": 50},
        "autoscaling": {"min": 0, "max": 5},
        "maxSurge": 0,
        "drainTimeoutSeconds": 9,
        "userScript": {
            "pre": "#!/bin/sh\r\necho 'ü' {{ x }}\n",
            "timeoutSeconds": 7,
            "onFailure": "FailNode",
        },
        "zones": ["a", "b"],
        "labels": {"x": "y", "z": None},
        "taints": [
            {"key": "gpu", "value": "a", "effect": "NoSchedule"},
            {"key": "spot", "value": "", "effect": "NoExecute"},
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--pre", "/nowhere"), "/nowhere"),
        (("--label", "x"), "KEY=VALUE"),
        (("--taint", "x"), "KEY=VALUE:EFFECT"),
        (("--max", "-1"), "max=-1"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(arguments: tuple[str, ...], named: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert named in result.output


def test_a_script_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    result = CliRunner().invoke(command, ["--post", str(tmp_path / "x")])
    assert result.exit_code == 2
    assert "UTF-8" in result.output
