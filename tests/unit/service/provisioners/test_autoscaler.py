"""The autoscaler's objects, held against what its documentation asks for."""

from __future__ import annotations

from typing import Any

import yaml
from tests.unit.service.builders import NAMESPACE, managed_cluster

from vks.service.provisioners.capi.addons.autoscaler import autoscaler_manifest

#: What the provider `clusterapi` calls: resource -> verbs.
CALLS = {
    "machinedeployments": {"get", "list", "watch"},
    "machinesets": {"get", "list", "watch"},
    "machines": {"get", "list", "watch", "update"},
    "machinedeployments/scale": {"get", "update"},
    "verdamachinetemplates": {"get", "list", "watch"},
}


def objects() -> dict[str, Any]:
    found = yaml.safe_load_all(autoscaler_manifest(managed_cluster()))
    return {obj["kind"]: obj for obj in found}


def test_it_may_do_what_it_does_in_its_projects_namespace_only() -> None:
    made = objects()
    granted: dict[str, set[str]] = {}
    for rule in made["Role"]["rules"]:
        for resource in rule["resources"]:
            granted.setdefault(resource, set()).update(rule["verbs"])
    for resource, verbs in CALLS.items():
        assert verbs <= granted[resource]
    assert "update" not in granted["machinedeployments"], "sizes go through scale alone"
    assert {obj["metadata"]["namespace"] for obj in made.values()} == {NAMESPACE}
    assert not any(kind.startswith("Cluster") for kind in made)


def test_it_finds_this_cluster_and_talks_to_both_sides() -> None:
    pod = objects()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    flags = dict(flag.removeprefix("--").partition("=")[::2] for flag in container["args"])
    assert flags["cloud-provider"] == "clusterapi"
    assert (
        flags["node-group-auto-discovery"] == f"clusterapi:namespace={NAMESPACE},clusterName=demo"
    )
    assert "clusterapi-cloud-config-authoritative" in flags
    (volume,) = pod["volumes"]
    (mount,) = container["volumeMounts"]
    assert volume["secret"] == {"secretName": "demo-kubeconfig"}
    assert flags["kubeconfig"] == f"{mount['mountPath']}/value"
    assert container["image"].endswith(":v1.36.0")


def test_a_node_that_still_runs_its_script_counts_as_one_that_comes_up() -> None:
    args = objects()["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--startup-taint=vks.verda/user-script" in args
