"""One look at everything that a plan is made from. Reads only."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.errors import ApiError, NotFound
from vks.kube.objects import Resource, find_condition
from vks.migration.plan.facts import (
    AuthorityFacts,
    BudgetFacts,
    EncryptionFacts,
    Facts,
    MemberFacts,
    NodeFacts,
    QuotaFacts,
    WebhookFacts,
)
from vks.migration.plan.flags import ENCRYPTION_FLAG
from vks.migration.prepare.quiet import operations_of
from vks.resources import encryption
from vks.resources.contract import READY
from vks.resources.core import Secret
from vks.resources.legacycluster import (
    LegacyCluster,
    authority_name,
    keys_name,
    kubeconfig_name,
)
from vks.resources.legacynode import LegacyNode
from vks.runtime.result import Waiting
from vks.verda.cloud import Cloud

_WEBHOOKS = tuple(
    Resource("admissionregistration.k8s.io", "v1", kind, f"{kind.lower()}s", namespaced=False)
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
)
_BUDGETS = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
_CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps")
_KUBEADM = (
    ("kube-system", "kubeadm-config"),
    ("kube-system", "kubelet-config"),
    ("kube-public", "cluster-info"),
)

Data = Mapping[str, bytes]


class Inside(NamedTuple):
    """What is in the cluster, or why nobody could look."""

    webhooks: tuple[WebhookFacts, ...] = ()
    budgets: tuple[BudgetFacts, ...] = ()
    kubeadm_objects: tuple[str, ...] = ()
    failure: str = ""


async def observe(
    client: Client,
    cluster: LegacyCluster,
    nodes: Iterable[LegacyNode],
    cloud: Cloud,
    now: datetime,
) -> Facts:
    """`client` is the management cluster's. Raises Waiting, CloudError, and ApiError of that."""
    known = list(nodes)
    secrets = {
        name: await _secret(client, cluster.metadata.namespace, name)
        for name in (
            authority_name(cluster.metadata.name),
            keys_name(cluster.metadata.name),
            kubeconfig_name(cluster.metadata.name),
            *(f"{node.metadata.name}-certificates" for node in known if node.is_control_plane),
        )
    }
    kubeconfig = secrets[kubeconfig_name(cluster.metadata.name)].get("value")
    if kubeconfig is None:
        raise Waiting("NoKubeconfig", "the cluster has no kubeconfig yet", 5.0)
    inside = await _inside(kubeconfig)
    return Facts(
        cluster=cluster.metadata.name,
        generation=cluster.metadata.generation,
        version=cluster.spec.version,
        offered=await _offered(cloud),
        ready=_is_ready(cluster),
        now=now,
        nodes=tuple(_node(node, secrets) for node in known),
        members=tuple(_members(cluster, known)),
        authorities=tuple(_authorities(cluster.metadata.name, secrets)),
        encryption=_encryption(known, secrets[keys_name(cluster.metadata.name)]),
        webhooks=inside.webhooks,
        budgets=inside.budgets,
        api_failure=inside.failure,
        quota=await _quota(cloud),
        kubeadm_objects=inside.kubeadm_objects,
        pools=len(cluster.spec.node_pools),
        operations=tuple(await operations_of(client, *cluster.key)),
    )


async def _inside(kubeconfig: bytes) -> Inside:
    """A cluster that does not answer, for an authority that has expired or whatever reason, has
    other reasons against it that are known all the same."""
    config = ClientConfig.from_kubeconfig(kubeconfig)
    async with Client(config, user_agent="vks-migration", timeout=10.0) as workload:
        try:
            return Inside(
                await _webhooks(workload),
                await _budgets(workload),
                await _kubeadm_objects(workload),
            )
        except ApiError as error:
            return Inside(failure=str(error))


async def _secret(client: Client, namespace: str, name: str) -> Data:
    """Empty when it does not exist: what is missing is a finding, not a failure."""
    try:
        secret = await client.get(Secret, name, namespace)
    except NotFound:
        return {}
    return {key: base64.b64decode(value) for key, value in secret.data.items()}


def _is_ready(obj: LegacyCluster | LegacyNode) -> bool:
    ready = find_condition(obj.status.conditions, READY)
    return ready is not None and ready.status == "True" and not obj.deleting


def _node(node: LegacyNode, secrets: Mapping[str, Data]) -> NodeFacts:
    certificate = secrets.get(f"{node.metadata.name}-certificates", {}).get("kube-apiserver.crt")
    return NodeFacts(
        name=node.metadata.name,
        address=node.status.address,
        control_plane=node.is_control_plane,
        ready=_is_ready(node),
        version=node.status.version,
        provider_id=node.status.provider_id,
        running=node.status.running,
        server_names=server_names(certificate) if certificate else (),
        reserved=node.spec.slot is not None,
    )


def server_names(pem: bytes) -> tuple[str, ...]:
    """DNS names and addresses that a certificate is good for."""
    found = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return tuple(str(name.value) for name in found.value)


def _members(cluster: LegacyCluster, nodes: list[LegacyNode]) -> Iterable[MemberFacts]:
    healthy = {node.status.address for node in nodes if _is_ready(node)}
    for member in cluster.status.etcd_members:
        yield MemberFacts(
            name=member.name,
            peer_url=member.peer_url,
            learner=member.learner,
            healthy=(urlsplit(member.peer_url).hostname or "") in healthy,
        )


def _authorities(cluster: str, secrets: Mapping[str, Data]) -> Iterable[AuthorityFacts]:
    own, keys = secrets[authority_name(cluster)], secrets[keys_name(cluster)]
    pairs = {
        "kube-ca": (own.get("tls.crt"), own.get("tls.key")),
        "kube-requestheader-ca": (keys.get("requestheader.crt"), keys.get("requestheader.key")),
    }
    for name, (certificate, key) in pairs.items():
        if certificate is None:
            yield AuthorityFacts(name=name, not_after=None, has_key=key is not None)
        else:
            yield authority(name, certificate, key)


def authority(name: str, certificate: bytes, key: bytes | None) -> AuthorityFacts:
    """What is to be known of an authority, from its PEM. Raises ValueError for what is no PEM."""
    loaded = x509.load_pem_x509_certificate(certificate)
    fits = key is not None and load_pem_private_key(key, None).public_key() == loaded.public_key()
    return AuthorityFacts(
        name=name, not_after=loaded.not_valid_after_utc, has_key=key is not None, key_fits=fits
    )


def _encryption(nodes: list[LegacyNode], keys: Data) -> EncryptionFacts:
    uses = any(ENCRYPTION_FLAG in node.status.running.get("kube-apiserver", {}) for node in nodes)
    return EncryptionFacts(
        used=(encryption.KEY_NAME,) if uses else (),
        held=(encryption.KEY_NAME,) if keys.get("encryption") else (),
    )


async def _webhooks(workload: Client) -> tuple[WebhookFacts, ...]:
    found = [item for kind in _WEBHOOKS for item in (await workload.list(kind)).items]
    return tuple(
        WebhookFacts(
            name=webhook["name"],
            resources=tuple(
                sorted(
                    {
                        resource.partition("/")[0]
                        for rule in webhook.get("rules") or ()
                        for resource in rule.get("resources") or ()
                    }
                )
            ),
            fails_closed=webhook.get("failurePolicy", "Fail") == "Fail",
        )
        for configuration in found
        for webhook in configuration.get("webhooks") or ()
    )


async def _budgets(workload: Client) -> tuple[BudgetFacts, ...]:
    return tuple(_budget(item) for item in (await workload.list(_BUDGETS)).items)


def _budget(item: dict[str, Any]) -> BudgetFacts:
    meta, status = item["metadata"], item.get("status", {})
    return BudgetFacts(
        name=f"{meta['namespace']}/{meta['name']}",
        allowed=status.get("disruptionsAllowed", 0),
        pods=status.get("expectedPods", 0),
    )


async def _kubeadm_objects(workload: Client) -> tuple[str, ...]:
    found = []
    for namespace, name in _KUBEADM:
        try:
            await workload.get(_CONFIG_MAPS, name, namespace)
        except NotFound:
            continue
        found.append(f"{namespace}/{name}")
    return tuple(found)


async def _offered(cloud: Cloud) -> tuple[str, ...]:
    images = await cloud.image.images()
    usable = {image.kubernetes_version for image in images if image.status == "active"}
    return tuple(sorted(usable - {""}))


async def _quota(cloud: Cloud) -> QuotaFacts:
    limits = await cloud.compute.limits()
    balancers = await cloud.loadbalancer.quota()
    return QuotaFacts(
        servers=_free(limits.max_instances, limits.instances),
        load_balancers=_free(
            balancers.get("loadbalancers", -1), balancers.get("used_loadbalancers", 0)
        ),
    )


def _free(limit: int, used: int) -> int | None:
    return None if limit < 0 else max(0, limit - used)
