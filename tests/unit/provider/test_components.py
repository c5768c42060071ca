"""What `clusterctl init` would install."""

from __future__ import annotations

from pathlib import Path

import yaml

from vks.provider.components import components

CONFIG = Path(__file__).parents[3] / "config"


def test_the_checked_in_file_is_what_the_sources_say() -> None:
    text = (CONFIG / "clusterctl/infrastructure-components.yaml").read_text()
    assert list(yaml.safe_load_all(text)) == components(CONFIG)


def test_the_contract_of_clusterctl_is_kept() -> None:
    objects = components(CONFIG)
    label = "cluster.x-k8s.io/provider"
    assert {obj["metadata"]["labels"][label] for obj in objects} == {"infrastructure-verda"}
    (namespace,) = [o["metadata"]["name"] for o in objects if o["kind"] == "Namespace"]
    namespaced = {o["metadata"]["namespace"] for o in objects if "namespace" in o["metadata"]}
    assert namespaced == {namespace}
    (deployment,) = [o for o in objects if o["kind"] == "Deployment"]
    containers = deployment["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["manager"]
