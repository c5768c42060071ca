"""Join tokens whose signature got lost.

The controller that signs `cluster-info` drops an update that fails and looks again only when
something changes (pkg/controller/bootstrap/bootstrapsigner.go, updateConfigMap): the machine with
that token would wait for minutes. Touching the token's Secret is such a change.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime

from vks.kube.client import Client
from vks.kube.errors import NotFound
from vks.kube.times import parse_time, rfc3339
from vks.migration.run.scope import Scope
from vks.resources.core import ConfigMap, Secret

#: Seconds after which a signature is late: it takes one or two.
LATE = 15.0
_TYPE = "bootstrap.kubernetes.io/token"
_NAMESPACE = "kube-system"
_TOUCHED = "vks.verda/touched"


class SignTokens:
    """Nothing to take back."""

    name = "SignTokens"

    async def do(self, scope: Scope) -> None:
        await touch_unsigned(await scope.workload(), scope.clock.now())

    async def undo(self, scope: Scope) -> None:
        """Nothing by itself."""


def unsigned(
    tokens: Iterable[Secret], cluster_info: ConfigMap | None, now: datetime
) -> list[Secret]:
    """The tokens that should have been signed by now."""
    signed = cluster_info.data if cluster_info is not None else {}
    return [
        token
        for token in tokens
        if token.type == _TYPE
        and f"jws-kubeconfig-{_id(token)}" not in signed
        and (now - _last_touch(token)).total_seconds() > LATE
    ]


async def touch_unsigned(workload: Client, now: datetime) -> list[str]:
    """The names of those that were touched. Raises ApiError."""
    selector = f"type={_TYPE}"
    found = await workload.list(Secret, _NAMESPACE, field_selector=selector)
    if not found.items:
        return []
    try:
        info = await workload.get(ConfigMap, "cluster-info", "kube-public")
    except NotFound:
        info = None
    late = unsigned(found.items, info, now)
    for token in late:
        patch = {"metadata": {"annotations": {_TOUCHED: rfc3339(now)}}}
        await workload.merge_patch(Secret, token.metadata.name, _NAMESPACE, patch)
    return [token.metadata.name for token in late]


def _id(token: Secret) -> str:
    return base64.b64decode(token.data.get("token-id", "")).decode()


def _last_touch(token: Secret) -> datetime:
    meta = token.metadata
    return parse_time(meta.annotations.get(_TOUCHED) or meta.creation_timestamp or "")
