"""Servers: zones, user data, metadata, tags, lists, power, and what is refused."""

from __future__ import annotations

import pytest
from tests.cloud.steps import Steps, encoded
from tests.support.clouds import Json, Project, error, eventually, ok

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def net(steps: Steps) -> list[Json]:
    """What a request for a server names as its networks."""
    network, _ = steps.network()
    return [{"uuid": network["id"]}]


def test_zones_are_listed(steps: Steps) -> None:
    listed = ok(steps.api.compute.get("/os-availability-zone"))["availabilityZoneInfo"]
    assert sorted(zone["zoneName"] for zone in listed) == list(steps.cloud.zones)
    assert all(zone["zoneState"] == {"available": True} for zone in listed)
    assert all(zone["hosts"] is None for zone in listed)


@pytest.mark.parametrize("zone", ["tokyo-1", "tokyo-3"])
def test_a_server_runs_in_the_zone_that_was_asked_for(
    steps: Steps, net: list[Json], zone: str
) -> None:
    server = steps.server(net, availability_zone=zone)
    assert server["OS-EXT-AZ:availability_zone"] == zone
    assert server["OS-EXT-STS:vm_state"] == "active"
    assert server["OS-EXT-STS:power_state"] == 1
    assert server["OS-EXT-STS:task_state"] is None
    admin = ok(steps.cloud.admin.compute.get(f"/servers/{server['id']}"))["server"]
    assert admin["OS-EXT-SRV-ATTR:host"] == f"{zone}-hv1"


def test_the_request_is_accepted_before_the_server_is_made(steps: Steps, net: list[Json]) -> None:
    answer = steps.ask_server(net)
    accepted = ok(answer, 202)["server"]
    assert {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"} == set(accepted)
    assert answer.headers["Location"].endswith(f"/servers/{accepted['id']}")
    assert steps.settled(accepted["id"])["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"availability_zone": "osaka-1"}, "The requested availability zone is not available"),
        ({"flavorRef": "nope"}, "Flavor nope could not be found."),
        ({"imageRef": NOWHERE}, "Can not find requested image"),
        ({"key_name": "nobody"}, "Invalid key_name provided."),
        ({"user_data": "eHh4" * 20_000}, "user_data"),
        ({"name": ""}, "Invalid input for field/attribute name."),
        ({"metadata": {"key": "v" * 300}}, "Invalid input for field/attribute key."),
        ({"tags": ["a/b"]}, "Invalid input for field/attribute"),
        ({"tags": ["a" * 61]}, "Invalid input for field/attribute"),
        ({"colour": "red"}, "Additional properties are not allowed ('colour' was unexpected)"),
        ({"networks": [{"uuid": NOWHERE}]}, f"Network {NOWHERE} could not be found."),
    ],
)
def test_requests_that_cannot_be_met_are_bad(
    steps: Steps, net: list[Json], given: Json, message: str
) -> None:
    body = steps.server_body(net)
    body["server"] |= given
    refused = error(steps.api.compute.at("2.96").post("/servers", body), 400)
    assert refused["code"] == 400
    assert message in refused["message"]


def root_volume(steps: Steps, **more: object) -> list[Json]:
    return [
        {
            "boot_index": 0,
            "uuid": steps.image_id(),
            "source_type": "image",
            "destination_type": "volume",
            "delete_on_termination": True,
            **more,
        }
    ]


def test_a_server_may_boot_from_a_volume_of_its_own(steps: Steps, net: list[Json]) -> None:
    """Whether a volume service makes the volume is another matter, decided after the answer."""
    body = steps.server_body(net)
    devices = root_volume(steps, volume_size=1)
    body["server"] |= {"imageRef": "", "block_device_mapping_v2": devices}
    made = ok(steps.api.compute.at("2.79").post("/servers", body), 202)["server"]
    seen = ok(steps.api.compute.at("2.79").get(f"/servers/{made['id']}"))["server"]
    assert seen["image"] == ""


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ({}, "Images with destination_type 'volume' need to have a non-zero size specified"),
        ({"volume_size": 0}, "Invalid input for field/attribute volume_size."),
        ({"volume_size": 1, "source_type": "tape"}, "Invalid input for field/attribute"),
        ({"volume_size": 1, "uuid": NOWHERE}, "Block Device Mapping is Invalid"),
        ({"volume_size": 1, "boot_index": 1}, "Boot sequence for the instance and image/block"),
    ],
)
def test_a_root_volume_that_cannot_be_is_bad(
    steps: Steps, net: list[Json], device: Json, message: str
) -> None:
    body = steps.server_body(net)
    devices = root_volume(steps, **device)
    body["server"] |= {"imageRef": "", "block_device_mapping_v2": devices}
    refused = error(steps.api.compute.at("2.79").post("/servers", body), 400)
    assert message in refused["message"]


def test_user_data_is_kept_for_admins_only(steps: Steps, net: list[Json]) -> None:
    data = encoded("#cloud-config\nruncmd: [kubeadm join]\n")
    server = steps.server(net, user_data=data)
    assert "OS-EXT-SRV-ATTR:user_data" not in server
    admin = steps.cloud.admin.compute.at("2.96")
    seen = ok(admin.get(f"/servers/{server['id']}"))["server"]
    assert seen["OS-EXT-SRV-ATTR:user_data"] == data


def test_metadata_is_read_and_changed(steps: Steps, net: list[Json]) -> None:
    server = steps.server(net, metadata={"cluster": "c1"})
    path = f"/servers/{server['id']}/metadata"
    compute = steps.api.compute
    assert ok(compute.get(path)) == {"metadata": {"cluster": "c1"}}
    assert ok(compute.put(f"{path}/role", {"meta": {"role": "w"}})) == {"meta": {"role": "w"}}
    merged = ok(compute.post(path, {"metadata": {"cluster": "c2"}}))
    assert merged == {"metadata": {"cluster": "c2", "role": "w"}}
    ok(compute.delete(f"{path}/role"), 204)
    missing = error(compute.get(f"{path}/role"), 404)
    assert missing == {"code": 404, "message": "Metadata item was not found"}
    assert ok(compute.put(path, {"metadata": {"only": "this"}})) == {"metadata": {"only": "this"}}


def test_tags_are_set_added_and_removed(steps: Steps, net: list[Json]) -> None:
    server = steps.server(net, tags=["a"])
    path, compute = f"/servers/{server['id']}/tags", steps.api.compute.at("2.26")
    assert compute.put(f"{path}/b").status_code == 201
    assert compute.put(f"{path}/b").status_code == 204
    assert sorted(ok(compute.get(path))["tags"]) == ["a", "b"]
    assert compute.get(f"{path}/b").status_code == 204
    assert compute.delete(f"{path}/b").status_code == 204
    assert error(compute.delete(f"{path}/b"), 404)["code"] == 404
    assert ok(compute.put(path, {"tags": ["x"]})) == {"tags": ["x"]}
    assert compute.delete(path).status_code == 204
    assert ok(compute.get(path)) == {"tags": []}


def test_lists_filter_by_name_tag_and_status(steps: Steps, net: list[Json]) -> None:
    first = steps.server(net, name="alpha-one", tags=["a", "b"])
    second = steps.server(net, name="beta-two", tags=["b"])
    compute = steps.api.compute.at("2.96")

    def found(query: str) -> set[str]:
        return {server["id"] for server in ok(compute.get(f"/servers?{query}"))["servers"]}

    both = {first["id"], second["id"]}
    assert found("name=alpha") == {first["id"]}  # a regular expression, not the whole name
    assert found("name=^alpha$") == set()
    assert found("tags=a,b") == {first["id"]}
    assert found("tags-any=a,b") == both
    assert found("not-tags=a") == {second["id"]}
    assert found("status=ACTIVE") == both
    assert found("status=ERROR") == set()


def test_lists_are_paged(steps: Steps, net: list[Json]) -> None:
    made = {steps.server(net)["id"] for _ in range(3)}
    compute, seen, query = steps.api.compute, [], "limit=2"
    while query:
        page = ok(compute.get(f"/servers?{query}"))
        assert len(page["servers"]) <= 2
        seen += [server["id"] for server in page["servers"]]
        links = {link["rel"]: link["href"] for link in page.get("servers_links", [])}
        query = links.get("next", "").partition("?")[2]
    assert sorted(seen) == sorted(made)
    refused = error(compute.get(f"/servers?marker={NOWHERE}"), 400)
    assert refused["message"] == f"marker [{NOWHERE}] not found"


def test_an_unknown_server_and_a_foreign_one_look_the_same(
    steps: Steps, net: list[Json], other: Project
) -> None:
    server_id = steps.server(net)["id"]
    theirs = other.member.compute
    for unknown in (server_id, NOWHERE):
        for method in ("GET", "DELETE"):
            refused = error(theirs.call(method, f"/servers/{unknown}"), 404)
            assert refused["code"] == 404
            assert refused["message"].startswith(f"Instance {unknown} ")
        refused = error(theirs.post(f"/servers/{unknown}/action", {"os-stop": None}), 404)
        assert refused["message"].startswith(f"Instance {unknown} ")
    assert ok(theirs.get("/servers")) == {"servers": []}


def test_readers_look_and_touch_nothing(steps: Steps, net: list[Json], project: Project) -> None:
    server = steps.server(net)
    compute = project.reader.compute
    assert ok(compute.get(f"/servers/{server['id']}"))["server"]["id"] == server["id"]
    refused = error(compute.post("/servers", steps.server_body(net)), 403)
    assert refused == {
        "code": 403,
        "message": "Policy doesn't allow os_compute_api:servers:create to be performed.",
    }
    refused = error(compute.delete(f"/servers/{server['id']}"), 403)
    assert "os_compute_api:servers:delete" in refused["message"]


def test_only_admins_list_every_project(steps: Steps, net: list[Json]) -> None:
    server = steps.server(net)
    refused = error(steps.api.compute.get("/servers?all_tenants=1"), 403)
    assert "os_compute_api:servers:index:get_all_tenants" in refused["message"]
    admin = steps.cloud.admin.compute
    every = ok(admin.get(f"/servers?all_tenants=1&project_id={server['tenant_id']}"))["servers"]
    assert [found["id"] for found in every] == [server["id"]]


def test_a_server_stops_starts_and_reboots(steps: Steps, net: list[Json]) -> None:
    server_id = steps.server(net)["id"]
    path, compute = f"/servers/{server_id}/action", steps.api.compute

    def reaches(status: str) -> None:
        eventually(
            lambda: steps.show(server_id),
            lambda seen: seen["status"] == status and seen["OS-EXT-STS:task_state"] is None,
        )

    refused = error(compute.post(path, {"os-start": None}), 409)
    assert refused["message"] == (
        f"Cannot 'start' instance {server_id} while it is in vm_state active"
    )
    assert compute.post(path, {"os-stop": None}).status_code == 202
    reaches("SHUTOFF")
    assert steps.show(server_id)["OS-EXT-STS:power_state"] == 4
    assert compute.post(path, {"os-start": None}).status_code == 202
    reaches("ACTIVE")
    assert compute.post(path, {"reboot": {"type": "HARD"}}).status_code == 202
    reaches("ACTIVE")
    refused = error(compute.post(path, {"frobnicate": None}), 400)
    assert refused["message"] == "There is no such action: frobnicate"


def test_the_console_log_is_text(steps: Steps, net: list[Json]) -> None:
    server_id = steps.server(net)["id"]
    body = {"os-getConsoleOutput": {"length": 2}}
    output = ok(steps.api.compute.post(f"/servers/{server_id}/action", body))["output"]
    assert isinstance(output, str)


def test_a_server_is_renamed_without_its_host_name(steps: Steps, net: list[Json]) -> None:
    server = steps.server(net)
    path = f"/servers/{server['id']}"
    changed = ok(steps.api.compute.at("2.96").put(path, {"server": {"name": "renamed"}}))["server"]
    assert changed["name"] == "renamed"
    assert changed["OS-EXT-SRV-ATTR:hostname"] == server["name"]


def test_deleting_twice_is_harmless_and_then_not_found(steps: Steps, net: list[Json]) -> None:
    server_id = steps.server(net)["id"]
    steps.delete_server(server_id)
    refused = error(steps.api.compute.delete(f"/servers/{server_id}"), 404)
    assert refused["message"] == f"Instance {server_id} could not be found."


def test_a_malformed_body_is_a_bad_request(steps: Steps) -> None:
    refused = error(steps.api.compute.post("/servers", {"server": []}), 400)
    assert refused["code"] == 400
    refused = error(steps.api.compute.post("/servers", {}), 400)
    assert "'server' is a required property" in refused["message"]
