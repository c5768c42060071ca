"""Pure: how many machines of a pool roll at a time, and which zones are yet to roll."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vks.resources.clusterapi import MachineDeployment
from vks.resources.nodepool import NodePoolSpec
from vks.service.applying import plain
from vks.service.nodepool.slots import surging
from vks.service.nodepool.zones import bounds_of
from vks.service.provisioners.capi.manifest import Manifest


class Rolling(NamedTuple):
    """How many machines a zone may have above and below its number while it rolls."""

    surge: int
    unavailable: int


def rolling(spec: NodePoolSpec, replicas: Mapping[str, int | None]) -> dict[str, Rolling]:
    """By zone, as the pool says; one with static addresses takes nodes away first, but for the
    zones that have a slot to spare."""
    given = Rolling(spec.max_surge, spec.max_unavailable)
    if spec.static_ip is None:
        return dict.fromkeys(replicas, given)
    bounds = bounds_of(spec)
    counts = {zone: bounds[zone].max if n is None else n for zone, n in replicas.items()}
    spare = surging(counts, spec.static_ip.slots)
    careful = Rolling(0, max(1, given.unavailable))
    roomy = Rolling(1, given.unavailable) if given.surge else careful
    return {zone: roomy if zone in spare else careful for zone in replicas}


def outdated(
    manifests: Iterable[Manifest], deployments: Iterable[MachineDeployment]
) -> dict[str, MachineDeployment]:
    """The zones whose machines the manifests would replace, as they are now."""
    wanted = {m.key.name: m for m in manifests if m.model is MachineDeployment}
    return {
        found.spec.template.spec.failure_domain: found
        for found in deployments
        if found.metadata.name in wanted
        and _replaced(found) != _replacing(wanted[found.metadata.name])
    }


def hold_back(manifest: Manifest, deployment: MachineDeployment) -> Manifest:
    """The manifest with the machines that the deployment has now."""
    old = deployment.spec.template.spec
    template = manifest.body["spec"]["template"]
    bootstrap = old.bootstrap.config_ref
    kept = {
        **template["spec"],
        "version": old.version,
        "bootstrap": {"configRef": plain(bootstrap) if bootstrap is not None else {}},
        "infrastructureRef": plain(old.infrastructure_ref),
    }
    spec = {**manifest.body["spec"], "template": {**template, "spec": kept}}
    return Manifest(manifest.model, {**manifest.body, "spec": spec})


def _replaced(deployment: MachineDeployment) -> tuple[str, str, str]:
    spec = deployment.spec.template.spec
    bootstrap = spec.bootstrap.config_ref
    return spec.version, bootstrap.name if bootstrap else "", spec.infrastructure_ref.name


def _replacing(manifest: Manifest) -> tuple[str, str, str]:
    spec = manifest.body["spec"]["template"]["spec"]
    references = (spec["bootstrap"]["configRef"], spec["infrastructureRef"])
    return (spec["version"], references[0]["name"], references[1]["name"])
