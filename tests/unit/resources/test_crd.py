"""The generated CustomResourceDefinitions."""

from __future__ import annotations

from pathlib import Path

import yaml

from vks.resources.crd import custom_resource_definitions

CHECKED_IN = Path(__file__).parents[3] / "config" / "crd"


def test_the_checked_in_definitions_are_the_generated_ones() -> None:
    generated = {crd["metadata"]["name"]: crd for crd in custom_resource_definitions()}
    checked_in = {path.stem: yaml.safe_load(path.read_text()) for path in CHECKED_IN.glob("*.yaml")}
    assert checked_in == generated


def test_infrastructure_kinds_name_the_contract_that_they_serve() -> None:
    infrastructure = [
        crd
        for crd in custom_resource_definitions()
        if crd["spec"]["group"] == "infrastructure.cluster.x-k8s.io"
    ]
    assert len(infrastructure) == 6
    for crd in infrastructure:
        assert crd["metadata"]["labels"]["cluster.x-k8s.io/v1beta2"] == "v1beta1"


def test_a_verda_machine_has_no_failure_domain_in_its_spec() -> None:
    """The contract deprecates it: core would copy it over the Machine's own."""
    crd = next(
        crd
        for crd in custom_resource_definitions()
        if crd["spec"]["names"]["kind"] == "VerdaMachine"
    )
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "failureDomain" not in schema["properties"]["spec"]["properties"]
    assert "failureDomain" in schema["properties"]["status"]["properties"]
