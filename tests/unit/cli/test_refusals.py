"""What the service refuses is one line, and an exit code for scripts."""

from __future__ import annotations

import http.client
import json

from vks.cli import errors
from vks.cli.api import problem
from vks.cli.http import Answer


def test_a_cluster_under_maintenance_is_one_line() -> None:
    detail = "the cluster is under maintenance (Converting): try again when that has ended"
    document = {"status": 409, "code": "under_maintenance", "detail": detail, "errors": []}
    body = json.dumps(document).encode()
    refused = problem(Answer(409, http.client.HTTPMessage(), body))
    assert refused.lines() == [f"Error: {detail} (under_maintenance)"]
    assert refused.exit_code == errors.REFUSED
