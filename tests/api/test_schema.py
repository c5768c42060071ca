"""The API does what its OpenAPI document says, whatever it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.api.conftest import PROJECT
from tests.support.service import TokenTable, region_config

from vks.service.api.app import create_app
from vks.service.api.context import Services
from vks.service.config import Config

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
HEADERS = {"X-Auth-Token": "member"}

DOCUMENT = create_app(Services(Config(regions=(region_config(),)), (), TokenTable())).openapi()


def operations() -> Iterator[tuple[str, APIOperation[Any, Any, Any, Any]]]:
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        yield f"{operation.method.upper()} {operation.path}", operation


OPERATIONS = dict(operations())


#: What takes neither parameters nor a body cannot be called wrongly.
WITHOUT_INPUT = ("GET /healthz", "GET /readyz", "GET /v1/regions")
CASES = [(name, GenerationMode.POSITIVE) for name in OPERATIONS] + [
    (name, GenerationMode.NEGATIVE) for name in OPERATIONS if name not in WITHOUT_INPUT
]


@pytest.mark.parametrize(
    ("name", "mode"), CASES, ids=lambda value: str(getattr(value, "value", value))
)
@pytest.mark.timeout(120)
def test_every_answer_is_documented_and_none_is_a_server_error(
    api_url: str, name: str, mode: GenerationMode
) -> None:
    operation = OPERATIONS[name]

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        _keep_inside(case)
        case.call_and_validate(base_url=api_url, headers=HEADERS, checks=CHECKS, timeout=20)

    holds()


def _keep_inside(case: Any) -> None:
    """In the token's project (others are 404 before anything else runs), and no streams, which
    have no end."""
    if "project" in (case.path_parameters or {}):
        case.path_parameters["project"] = PROJECT
    if isinstance(case.query, dict):
        case.query.pop("watch", None)


async def test_a_created_cluster_answers_on_all_its_routes(api_url: str) -> None:
    """What random names never reach: the routes below a cluster that exists."""
    request = {
        "name": "real",
        "region": "tokyo",
        "version": "v1.36.3",
        "controlPlane": {"flavor": "small"},
    }
    base = f"/v1/projects/{PROJECT}/clusters"
    async with httpx.AsyncClient(base_url=api_url, headers=HEADERS) as api:
        assert (await api.post(base, json=request)).status_code == 202
        pool = {"name": "p", "replicas": 1, "flavor": "small"}
        assert (await api.post(f"{base}/real/node-pools", json=pool)).status_code == 202
        for path in (
            "",
            "/nodes",
            "/events",
            "/associated-resources",
            "/autoscaler",
            "/node-pools",
            "/node-pools/p",
            "/node-pools/p/nodes",
        ):
            assert (await api.get(f"{base}/real{path}")).status_code == 200, path
        assert (await api.get("/v1/regions/tokyo/options")).status_code == 200
        async with api.stream("GET", f"{base}/real?watch=1") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert await anext(stream.aiter_lines()) == "event: ADDED"
        assert (await api.delete(f"{base}/real")).status_code == 202


def test_the_document_is_openapi_3_1(api_url: str) -> None:
    found = httpx.get(f"{api_url}/v1/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    assert set(found["paths"]) >= {
        "/v1/projects/{project}/clusters",
        "/v1/projects/{project}/clusters/{cluster}/kubeconfig",
        "/v1/projects/{project}/operations/{operation}",
    }
