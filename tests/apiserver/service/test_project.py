"""The project, its quotas, and what must not be seen of its credentials."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import yaml
from cryptography import x509
from structlog.testing import capture_logs
from tests.apiserver.service.conftest import Vks
from tests.support.pki import authority
from tests.support.service import cluster_request, until

from vks.kube.errors import NotFound
from vks.resources.core import Secret
from vks.resources.managedcluster import ManagedCluster
from vks.resources.project import CLOUD_SECRET
from vks.verda.compute import Limits
from vks.verda.network import Usage


async def test_a_token_shows_its_project_with_quotas(vks: Vks) -> None:
    vks.identity.cloud.quota = Limits(max_cores=20, cores=8)
    vks.identity.cloud.network = {"port": Usage(limit=500, used=7)}
    listed = await vks.api.get("/v1/projects", headers={"x-auth-token": "member"})
    assert listed.json()["items"] == [{"name": vks.project, "id": f"id-of-{vks.project}"}]
    found = (await vks.call("GET", "")).json()
    (region,) = found["regions"]
    assert region["region"] == "tokyo"
    assert region["quotas"]["cores"] == {"limit": 20, "used": 8}
    assert region["quotas"]["ports"] == {"limit": 500, "used": 7}
    assert region["quotas"]["instances"]["limit"] is None
    foreign = await vks.api.get(vks.base, headers={"x-auth-token": "stranger"})
    assert foreign.status_code == 404


async def test_a_kubeconfig_is_good_for_twelve_hours_unless_asked_otherwise(vks: Vks) -> None:
    await vks.call("POST", "/clusters", cluster_request())
    await vks.client.merge_patch(
        ManagedCluster,
        "demo",
        vks.namespace,
        {"status": {"endpoint": {"host": "10.60.0.9", "port": 6443}}},
        subresource="status",
    )
    certificate, key = (base64.b64encode(part).decode() for part in authority(datetime.now(UTC)))
    await vks.client.create(
        Secret,
        {
            "metadata": {"name": "demo-ca", "namespace": vks.namespace},
            "data": {"tls.crt": certificate, "tls.key": key},
        },
    )
    for body, hours in ((None, 12), ({"ttlSeconds": 3600}, 1)):
        answer = await vks.call("POST", "/clusters/demo/kubeconfig", body)
        assert answer.status_code == 200, answer.text
        config = yaml.safe_load(answer.json()["kubeconfig"])
        assert config["clusters"][0]["cluster"]["server"] == "https://10.60.0.9:6443"
        user = config["users"][0]["user"]
        issued = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
        left = issued.not_valid_after_utc - datetime.now(UTC)
        assert abs(left - timedelta(hours=hours)) < timedelta(minutes=1)
    refused = await vks.call("POST", "/clusters/demo/kubeconfig", {"ttlSeconds": 1})
    assert refused.json()["errors"][0]["field"] == "ttlSeconds"


async def test_no_answer_and_no_log_line_holds_a_credential(vks: Vks) -> None:
    with capture_logs() as logged:
        await vks.call("POST", "/clusters", cluster_request())

        async def credential() -> Secret | None:
            try:
                return await vks.client.get(Secret, CLOUD_SECRET, vks.namespace)
            except NotFound:
                return None

        secret = await until(credential)
        assert b"never-shown" in base64.b64decode(secret.data["clouds.yaml"])
        answers = [
            (await vks.call("GET", path)).text
            for path in (
                "",
                "/clusters",
                "/clusters/demo",
                "/clusters/demo/events",
                "/clusters/demo/associated-resources",
                "/clusters/demo/node-pools",
                "/clusters/demo/nodes",
                "/operations",
            )
        ]
    for text in (*answers, str(logged)):
        assert "never-shown" not in text
    assert all("x-auth-token" not in str(line).lower() for line in logged)
