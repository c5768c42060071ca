"""Upstream's manifests, changed for managers that run beside the API server."""

from __future__ import annotations

from typing import Any

from vks.local.platform import fairness
from vks.local.platform.management import COMPONENT_USERS, MANAGERS
from vks.local.platform.manifests import outside


def _definition(**conversion: Any) -> dict[str, Any]:
    versions = [
        {"name": "v1beta1", "served": True, "storage": False},
        {"name": "v1beta2", "served": True, "storage": True},
    ]
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "machines.cluster.x-k8s.io"},
        "spec": {"versions": versions, **conversion},
    }


def _served(definition: dict[str, Any]) -> list[str]:
    return [one["name"] for one in definition["spec"]["versions"] if one["served"]]


def test_webhooks_are_called_on_loopback() -> None:
    client = {"service": {"name": "webhook", "path": "/convert"}}
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": client}}
    found = outside("capi-core", 9443, "CA", _definition(conversion=conversion))
    assert found["spec"]["conversion"]["webhook"]["clientConfig"] == {
        "url": "https://127.0.0.1:9443/convert",
        "caBundle": "CA",
    }


def test_no_version_is_served_that_a_webhook_would_have_to_make() -> None:
    client = {"service": {"name": "webhook", "path": "/convert"}}
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": client}}
    converted = outside("capi-core", 9443, "CA", _definition(conversion=conversion))
    assert _served(converted) == ["v1beta2"]
    assert _served(outside("capi-core", 9443, "CA", _definition())) == ["v1beta1", "v1beta2"]


def test_names_of_managers_do_not_clash() -> None:
    role = {"kind": "ClusterRole", "metadata": {"name": "manager-role"}}
    assert outside("capi-core", 9443, "CA", role)["metadata"]["name"] == "capi-core-manager-role"


def test_no_manager_of_upstream_is_in_the_level_of_our_programs() -> None:
    level, schema = fairness.objects()
    assert schema["spec"]["priorityLevelConfiguration"]["name"] == level["metadata"]["name"]
    (rule,) = schema["spec"]["rules"]
    ours = {subject["user"]["name"] for subject in rule["subjects"]}
    upstream = {COMPONENT_USERS[manager.program] for manager in MANAGERS}
    assert ours == {*COMPONENT_USERS.values()} - upstream - {"system:kube-controller-manager"}
