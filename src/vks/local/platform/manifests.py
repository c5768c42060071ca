"""Installs what the management cluster holds before anybody works: CRDs, roles, webhooks.

    python -m vks.local.platform.manifests --kubeconfig FILE --authority CA \
        --manager PROGRAM:WEBHOOK-PORT:FILE…

The files of a manager are as upstream ships them for use inside a cluster. Here the managers
are processes beside the API server, so their services become URLs on loopback. Of our own
provider it is what `clusterctl init` installs, but for the Deployment and what goes with it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from vks.kube.client import Client
from vks.kube.codec import Change
from vks.kube.config import ClientConfig
from vks.kube.objects import Resource
from vks.local.platform import fairness, rbac
from vks.local.platform.kubeconfigs import base64_of
from vks.provider.components import components, config_directory
from vks.resources import crd

FIELD_MANAGER = "vks-platform"
ESTABLISHED_SECONDS = 30.0
#: clusterctl puts it onto all that it installs, and its other commands look for it.
CLUSTERCTL_LABEL = "clusterctl.cluster.x-k8s.io"
SYSTEM_NAMESPACE = "vks-system"

Object = dict[str, Any]

_CRD = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False
)
_RESOURCES = {
    resource.kind: resource
    for resource in (
        _CRD,
        Resource("", "v1", "Namespace", "namespaces", False),
        *(
            Resource("rbac.authorization.k8s.io", "v1", kind, f"{kind.lower()}s", False)
            for kind in ("ClusterRole", "ClusterRoleBinding")
        ),
        *(
            Resource("flowcontrol.apiserver.k8s.io", "v1", kind, f"{kind.lower()}s", False)
            for kind in ("FlowSchema", "PriorityLevelConfiguration")
        ),
        *(
            Resource("admissionregistration.k8s.io", "v1", kind, f"{kind.lower()}s", False)
            for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        ),
        *(
            Resource("admissionregistration.k8s.io", "v1", kind, plural, False)
            for kind, plural in (
                ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
                ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
            )
        ),
    )
}


def outside(program: str, port: int, authority: str, document: Object) -> Object:
    """An upstream object, changed for a manager that runs outside of the cluster.

    Webhooks call `https://127.0.0.1:port`, verified by `authority` (base64 PEM). The managers'
    manifests use equal names for webhook configurations and roles: `program` is prefixed.
    """
    document = marked(document)
    if document["kind"] == "CustomResourceDefinition":
        conversion = document["spec"].get("conversion") or {}
        if "webhook" in conversion:
            webhook = conversion["webhook"]
            webhook["clientConfig"] = _url(port, webhook["clientConfig"], authority)
            serve_stored_only(document)
        return document
    document["metadata"]["name"] = f"{program}-{document['metadata']['name']}"
    for webhook in document.get("webhooks", ()):
        webhook["clientConfig"] = _url(port, webhook["clientConfig"], authority)
    return document


def serve_stored_only(definition: Object) -> None:
    """Serves the kind in no version but the one that it is stored in.

    The API server keeps a watch cache of each served version, used or not, and asks the conversion
    webhook for every object that is written: with Cluster API's deprecated v1beta1 served, a call
    to a manager and back for each write of a Machine, which was a third of all the plane's work.
    """
    for version in definition["spec"]["versions"]:
        version["served"] = version["storage"]


def marked(document: Object) -> Object:
    """The object as clusterctl would have installed it."""
    metadata = document["metadata"]
    labels = {**metadata.get("labels", {}), CLUSTERCTL_LABEL: ""}
    return {**document, "metadata": {**metadata, "labels": labels}}


def _url(port: int, config: Object, authority: str) -> Object:
    return {"url": f"https://127.0.0.1:{port}{config['service']['path']}", "caBundle": authority}


class ManagerFile(NamedTuple):
    """One YAML file of a Cluster API manager, whose webhooks are on `port`."""

    program: str
    port: int
    path: Path

    @classmethod
    def parse(cls, text: str) -> ManagerFile:
        program, port, path = text.split(":", 2)
        return cls(program, int(port), Path(path))


def load(manager_files: Iterable[ManagerFile], authority: str) -> list[Object]:
    """Everything to install. Raises OSError when a file is missing."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}
    provider = [marked(d) for d in components(config_directory()) if d["kind"] in _RESOURCES]
    shipped = {document["metadata"]["name"] for document in provider}
    service = [
        definition
        for definition in crd.custom_resource_definitions()
        if definition["metadata"]["name"] not in shipped
    ]
    documents: list[Object] = [namespace, *provider, *service]
    documents += [*rbac.objects(), *fairness.objects()]
    for file in manager_files:
        documents += [
            outside(file.program, file.port, authority, document)
            for document in yaml.load_all(file.path.read_text(), yaml.CSafeLoader)
            if document and document["kind"] in _RESOURCES
        ]
    return documents


async def install(client: Client, documents: Iterable[Object]) -> None:
    """Applies definitions, waits until the server serves them, then applies the rest.

    Raises ApiError, and TimeoutError when a definition is not served in time.
    """
    first = [d for d in documents if d["kind"] == "CustomResourceDefinition"]
    rest = [d for d in documents if d["kind"] != "CustomResourceDefinition"]
    await asyncio.gather(*(_apply(client, document) for document in [*first, *rest]))
    async with asyncio.timeout(ESTABLISHED_SECONDS):
        await _established(client, {document["metadata"]["name"] for document in first})


async def _apply(client: Client, document: Object) -> None:
    await client.apply(_RESOURCES[document["kind"]], document, field_manager=FIELD_MANAGER)


async def _established(client: Client, names: set[str]) -> None:
    listed = await client.list(_CRD)
    waiting = names - {d["metadata"]["name"] for d in listed.items if _is_established(d)}
    while waiting:
        version = listed.resource_version
        async with client.watch(_CRD, resource_version=version) as batches:
            async for batch in batches:
                for change in batch:
                    if isinstance(change, Change) and _is_established(change.object):
                        waiting.discard(change.object["metadata"]["name"])
                if not waiting:
                    return


def _is_established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


async def run(kubeconfig: Path, manager_files: list[ManagerFile], authority: Path) -> None:
    documents = load(manager_files, base64_of(authority))
    async with Client(ClientConfig.from_kubeconfig(kubeconfig), user_agent=FIELD_MANAGER) as client:
        await install(client, documents)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="vks-manifests", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--authority", type=Path, required=True)
    parser.add_argument("--manager", type=ManagerFile.parse, action="append", default=[])
    options = parser.parse_args(arguments)
    asyncio.run(run(options.kubeconfig, options.manager, options.authority))
    return 0


if __name__ == "__main__":
    sys.exit(main())
