"""How Nova's microversions are asked for, answered, refused, and what they gate."""

from __future__ import annotations

import pytest
from tests.cloud.steps import Steps
from tests.support.clouds import Project, error, ok


def test_the_default_is_the_oldest(project: Project) -> None:
    answer = project.member.compute.get("/servers")
    assert answer.headers["OpenStack-API-Version"] == "compute 2.1"
    assert answer.headers["X-OpenStack-Nova-API-Version"] == "2.1"
    assert "OpenStack-API-Version" in answer.headers["Vary"]


def test_the_asked_one_is_echoed(project: Project) -> None:
    answer = project.member.compute.at("2.79").get("/servers")
    assert answer.headers["OpenStack-API-Version"] == "compute 2.79"


def test_the_old_header_counts_too(project: Project) -> None:
    answer = project.member.compute.get(
        "/servers", headers={"X-OpenStack-Nova-API-Version": "2.26"}
    )
    assert answer.headers["OpenStack-API-Version"] == "compute 2.26"


def test_latest_is_the_maximum_of_the_version_document(project: Project) -> None:
    document = ok(project.member.compute.get("/"))["version"]
    assert document["min_version"] == "2.1"
    assert document["status"] == "CURRENT"
    answer = project.member.compute.at("latest").get("/servers")
    assert answer.headers["OpenStack-API-Version"] == f"compute {document['version']}"


def test_a_later_one_than_the_maximum_is_not_acceptable(project: Project) -> None:
    maximum = ok(project.member.compute.get("/"))["version"]["version"]
    refused = error(project.member.compute.at("2.999").get("/servers"), 406)
    assert refused == {
        "code": 406,
        "message": "Version 2.999 is not supported by the API. "
        f"Minimum is 2.1 and maximum is {maximum}.",
    }


def test_a_malformed_one_is_a_bad_request(project: Project) -> None:
    refused = error(project.member.compute.at("2.x").get("/servers"), 400)
    assert refused["message"] == (
        "API Version String 2.x is of invalid format. Must be of format MajorNum.MinorNum."
    )


@pytest.mark.parametrize(("version", "there"), [("2.25", False), ("2.26", True)])
def test_server_tags_came_with_2_26(steps: Steps, version: str, there: bool) -> None:
    network, _ = steps.network()
    server = steps.server([{"uuid": network["id"]}])
    answer = steps.api.compute.at(version).get(f"/servers/{server['id']}/tags")
    assert answer.status_code == (200 if there else 404)


def test_tags_at_creation_came_with_2_52(steps: Steps) -> None:
    network, _ = steps.network()
    wanted = [{"uuid": network["id"]}]
    refused = error(steps.ask_server(wanted, "2.51", tags=["a"]), 400)
    assert "Additional properties are not allowed ('tags' was unexpected)" in refused["message"]
    ok(steps.ask_server(wanted, "2.52", tags=["a"]), 202)


def test_networks_are_required_since_2_37(steps: Steps) -> None:
    body = steps.server_body([])
    del body["server"]["networks"]
    refused = error(steps.api.compute.at("2.37").post("/servers", body), 400)
    assert "'networks' is a required property" in refused["message"]


def test_the_flavor_is_embedded_since_2_47(steps: Steps) -> None:
    network, _ = steps.network()
    server = steps.server([{"uuid": network["id"]}])
    old = ok(steps.api.compute.at("2.46").get(f"/servers/{server['id']}"))["server"]["flavor"]
    new = ok(steps.api.compute.at("2.47").get(f"/servers/{server['id']}"))["server"]["flavor"]
    assert old["id"] == steps.flavor_id()
    assert new["original_name"] == steps.cloud.flavors[0]
    assert new["extra_specs"] == {}


def test_a_group_has_one_policy_since_2_64(project: Project) -> None:
    compute = project.member.compute
    old = {"server_group": {"name": "g", "policies": ["anti-affinity"]}}
    new = {"server_group": {"name": "g", "policy": "anti-affinity"}}
    assert ok(compute.at("2.63").post("/os-server-groups", old))["server_group"]["policies"] == [
        "anti-affinity"
    ]
    shown = ok(compute.at("2.64").post("/os-server-groups", new))["server_group"]
    assert shown["policy"] == "anti-affinity"
    assert shown["rules"] == {}
    assert compute.at("2.63").post("/os-server-groups", new).status_code == 400
    assert compute.at("2.64").post("/os-server-groups", old).status_code == 400
