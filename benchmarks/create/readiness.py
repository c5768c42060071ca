"""When a cluster is done: asked of its own API server, in the same way on both sides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from vks.kube.client import Client
from vks.kube.errors import ApiError
from vks.kube.objects import Resource
from vks.resources.core import Node

_DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments")
#: Seconds between two looks: the error of every time measured here.
RESOLUTION = 0.25


class TookTooLongError(Exception):
    """The cluster was not complete in time."""


async def wait_complete(
    client: Client,
    nodes: int,
    deadline: float,
    on_nodes: Callable[[Sequence[Node]], Awaitable[None]] | None = None,
) -> float:
    """The moment (time.time) at which that many nodes and all of CoreDNS are Ready.

    `on_nodes` sees the nodes at every look. Raises TookTooLongError after `deadline`.
    """
    seen = "no answer"
    while time.time() < deadline:
        try:
            found = (await client.list(Node)).items
            if on_nodes is not None:
                await on_nodes(found)
            dns = (await client.get(_DEPLOYMENTS, "coredns", "kube-system")).get("status", {})
        except ApiError as error:
            seen = error.message
        else:
            ready = sum(node.ready for node in found)
            replicas, up = dns.get("replicas", 0), dns.get("readyReplicas", 0)
            if ready == nodes and 0 < replicas == up:
                return time.time()
            seen = f"{ready}/{nodes} nodes, CoreDNS {up}/{replicas}"
        await asyncio.sleep(RESOLUTION)
    raise TookTooLongError(seen)
