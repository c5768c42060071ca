"""Quotas: what they count, who sets them, and how running into one is said."""

from __future__ import annotations

import pytest
from tests.cloud.steps import Steps
from tests.support.clouds import Json, Project, error, ok


def limit(steps: Steps, project: Project, **quota: int) -> None:
    path = f"/os-quota-sets/{project.id}"
    ok(steps.cloud.admin.compute.put(path, {"quota_set": quota}))


@pytest.mark.parametrize(
    ("quota", "message"),
    [
        (
            {"instances": 1},
            "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances",
        ),
        ({"cores": 3}, "Quota exceeded for cores: Requested 2, but already used 2 of 3 cores"),
        (
            {"ram": 3000},
            "Quota exceeded for ram: Requested 2048, but already used 2048 of 3000 ram",
        ),
    ],
)
def test_a_server_too_many_is_forbidden(
    steps: Steps, project: Project, quota: dict[str, int], message: str
) -> None:
    network, _ = steps.network()
    limit(steps, project, **quota)
    steps.server([{"uuid": network["id"]}])
    refused = error(steps.ask_server([{"uuid": network["id"]}]), 403)
    assert refused == {"code": 403, "message": message}


def test_a_deleted_server_gives_its_share_back(steps: Steps, project: Project) -> None:
    network, _ = steps.network()
    limit(steps, project, instances=1)
    steps.delete_server(steps.server([{"uuid": network["id"]}])["id"])
    steps.server([{"uuid": network["id"]}])


def test_use_and_limits_are_shown(steps: Steps, project: Project) -> None:
    network, _ = steps.network()
    limit(steps, project, instances=5)
    steps.server([{"uuid": network["id"]}])
    detail = ok(steps.api.compute.get(f"/os-quota-sets/{project.id}/detail"))["quota_set"]
    assert detail["instances"] == {"limit": 5, "in_use": 1, "reserved": 0}
    assert detail["cores"]["in_use"] == 2
    absolute = ok(steps.api.compute.get("/limits"))["limits"]["absolute"]
    assert absolute["maxTotalInstances"] == 5
    assert absolute["totalInstancesUsed"] == 1
    assert absolute["totalRAMUsed"] == 2048


def test_a_quota_below_the_use_is_refused(steps: Steps, project: Project) -> None:
    network, _ = steps.network()
    steps.server([{"uuid": network["id"]}])
    steps.server([{"uuid": network["id"]}])
    path = f"/os-quota-sets/{project.id}"
    refused = error(steps.cloud.admin.compute.put(path, {"quota_set": {"instances": 1}}), 400)
    assert refused["message"] == (
        "Quota limit 1 for instances must be greater than or equal to already used and reserved 2."
    )


def test_members_do_not_set_quotas(steps: Steps, project: Project) -> None:
    body: Json = {"quota_set": {"instances": 500}}
    refused = error(steps.api.compute.put(f"/os-quota-sets/{project.id}", body), 403)
    assert refused["message"] == (
        "Policy doesn't allow os_compute_api:os-quota-sets:update to be performed."
    )
    body = {"quota": {"port": 5000}}
    refused = error(steps.api.network.put(f"/v2.0/quotas/{project.id}", body), 403)
    assert refused["type"] == "PolicyNotAuthorized"


@pytest.mark.parametrize("what", ["network", "subnet", "port", "router", "security_group"])
def test_a_network_resource_too_many_is_a_conflict(
    steps: Steps, project: Project, what: str
) -> None:
    network, _ = steps.network()
    api = steps.api.network
    ok(steps.cloud.admin.network.put(f"/v2.0/quotas/{project.id}", {"quota": {what: 1}}))
    bodies: dict[str, Json] = {
        "network": {},
        "subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "198.51.100.0/24"},
        "port": {"network_id": network["id"]},
        "router": {},
        "security_group": {"name": "g"},
    }
    path = f"/v2.0/{what.replace('_', '-')}s"
    if what in ("port", "router"):  # the first one; of the others there is one already
        ok(api.post(path, {what: bodies[what]}), 201)
    refused = error(api.post(path, {what: bodies[what]}), 409)
    assert refused == {
        "type": "OverQuota",
        "message": f"Quota exceeded for resources: ['{what}'].",
        "detail": "",
    }


def test_network_quotas_have_details(steps: Steps, project: Project) -> None:
    steps.network()
    found = ok(steps.api.network.get(f"/v2.0/quotas/{project.id}/details.json"))["quota"]
    assert found["network"]["used"] == 1
    assert found["network"]["limit"] == 100
