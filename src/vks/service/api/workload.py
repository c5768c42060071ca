"""What the API reads in a workload cluster before it upgrades it."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.objects import Key, Resource
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.core import Secret
from vks.resources.legacynode import LegacyNode
from vks.resources.managedcluster import ManagedCluster

_BUDGETS = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
_TIMEOUT = 5.0
_METRIC = re.compile(
    r"^apiserver_requested_deprecated_apis\{(?P<labels>[^}]*)\} [1-9]", re.MULTILINE
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class DeprecatedApi(NamedTuple):
    """An API that somebody called since an API server started; `removed_in` is `1.37` or empty."""

    name: str
    removed_in: str


class Budget(NamedTuple):
    """A PodDisruptionBudget that allows no eviction now."""

    name: str
    why: str


@asynccontextmanager
async def connect(management: Client, cluster: Key, host: str = "") -> AsyncIterator[Client]:
    """To the API server on `host`, or to whichever the kubeconfig leads to. Raises ApiError:
    NotFound before the provisioner has made the cluster's credentials."""
    secret = await management.get(Secret, f"{cluster.name}-kubeconfig", cluster.namespace)
    config = ClientConfig.from_kubeconfig(base64.b64decode(secret.data["value"]))
    if host:
        config = replace(config, server=f"https://{host}:{urlsplit(config.server).port}")
    async with Client(config, user_agent="vks-api", timeout=_TIMEOUT) as client:
        yield client


async def blocking_budgets(client: Client) -> list[Budget]:
    """Those that hold up the draining of a node. Raises ApiError."""
    found = []
    for item in (await client.list(_BUDGETS)).items:
        meta, status = item["metadata"], item.get("status", {})
        healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        if status.get("disruptionsAllowed", 0) > 0 or status.get("expectedPods", 0) == 0:
            continue
        why = f"{healthy} healthy pods, {wanted} must stay"
        found.append(Budget(f"{meta['namespace']}/{meta['name']}", why))
    return sorted(found)


async def deprecated_apis(management: Client, cluster: ManagedCluster) -> set[DeprecatedApi]:
    """Of every API server: each knows only what it was asked itself. Raises ApiError."""
    found: set[DeprecatedApi] = set()
    for host in await _api_servers(management, cluster):
        async with connect(management, cluster.key, host) as client:
            found |= parse_deprecated(bytes(await client.raw("GET", "/metrics")).decode())
    return found


async def _api_servers(management: Client, cluster: ManagedCluster) -> list[str]:
    """Where each is reached. A load balancer gives every new connection to the next one."""
    if cluster.spec.provisioner != "legacy":
        return [""] * cluster.spec.control_plane.replicas
    meta = cluster.metadata
    selector = f"{CLUSTER_NAME_LABEL}={meta.name}"
    nodes = await management.list(LegacyNode, meta.namespace, label_selector=selector)
    return [n.status.address for n in nodes.items if n.is_control_plane and n.status.address]


def parse_deprecated(metrics: str) -> set[DeprecatedApi]:
    """Out of the text that Prometheus reads (`apiserver_requested_deprecated_apis`)."""
    found = set()
    for match in _METRIC.finditer(metrics):
        labels = dict(_LABEL.findall(match["labels"]))
        group = f"{labels['group']}/" if labels.get("group") else ""
        name = f"{group}{labels.get('version', '')} {labels.get('resource', '')}"
        found.add(DeprecatedApi(name, labels.get("removed_release", "")))
    return found
