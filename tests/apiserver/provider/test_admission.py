"""What the API server itself refuses: rules in the CRDs and the template policy."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.apiserver.provider.region import ROOT, Region, eventually

from vks.kube.client import Client
from vks.kube.errors import ApiError, Invalid
from vks.kube.objects import Resource
from vks.resources.verdamachine import VerdaMachine, VerdaMachineTemplate

_ADMISSION = {
    kind: Resource("admissionregistration.k8s.io", "v1", kind, plural, namespaced=False)
    for kind, plural in (
        ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
        ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    )
}


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [
        ("providerID", "verda:///tokyo/a/1", "verda:///tokyo/a/2"),
        ("availabilityZone", "a", "b"),
        ("adoptServerID", "one", "two"),
        ("flavor", "small", "large"),
        ("image", "one", "two"),
    ],
)
async def test_what_a_machine_is_cannot_change(
    region: Region, client: Client, namespace: str, field: str, first: str, second: str
) -> None:
    spec = {"flavor": "small", "image": "debian", field: first}
    body = {"metadata": {"name": "m", "namespace": namespace}, "spec": spec}
    await client.create(VerdaMachine, body)
    with pytest.raises(Invalid, match=field):
        await client.merge_patch(VerdaMachine, "m", namespace, {"spec": {field: second}})


async def test_the_provider_id_may_be_set_later(
    region: Region, client: Client, namespace: str
) -> None:
    spec = {"flavor": "small", "image": "debian"}
    await client.create(
        VerdaMachine, {"metadata": {"name": "m", "namespace": namespace}, "spec": spec}
    )
    patch = {"spec": {"providerID": "verda:///tokyo/a/1"}}
    machine = await client.merge_patch(VerdaMachine, "m", namespace, patch)
    assert machine.spec.provider_id == "verda:///tokyo/a/1"


async def test_a_template_cannot_change_but_may_be_tried_by_the_topology_controller(
    region: Region, client: Client, namespace: str
) -> None:
    for policy in yaml.safe_load_all((ROOT / "config/admission/templates.yaml").read_text()):
        await client.apply(_ADMISSION[policy["kind"]], policy, field_manager="test")
    body: dict[str, Any] = {
        "metadata": {"name": "t", "namespace": namespace},
        "spec": {"template": {"spec": {"flavor": "small", "image": "debian"}}},
    }
    await client.create(VerdaMachineTemplate, body)

    flavors = iter(f"flavor-{number}" for number in range(1000))

    async def refused() -> bool:  # the API server takes a moment to know a policy
        patch = {"spec": {"template": {"spec": {"flavor": next(flavors)}}}}
        try:
            await client.merge_patch(VerdaMachineTemplate, "t", namespace, patch)
        except ApiError as error:
            return "immutable" in error.message
        return False

    await eventually(refused)
    dry_run = {"metadata": {"annotations": {"topology.cluster.x-k8s.io/dry-run": ""}}}
    await client.merge_patch(VerdaMachineTemplate, "t", namespace, dry_run)
    path = f"{VerdaMachineTemplate.resource.base_path}/namespaces/{namespace}"
    await client.raw(
        "PATCH",
        f"{path}/verdamachinetemplates/t",
        params={"dryRun": "All"},
        body=b'{"spec":{"template":{"spec":{"flavor":"other"}}}}',
        content_type="application/merge-patch+json",
    )
