"""Authorities and keys exist before Cluster API sees the cluster, or it would make its own."""

from __future__ import annotations

from vks.kube.errors import NotFound
from vks.migration.adopt.secrets import (
    SECRET_TYPE,
    Body,
    kubeconfig,
    secrets,
)
from vks.migration.rollback.dissolve import dissolve
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.core import Secret
from vks.resources.fields import Endpoint
from vks.resources.legacycluster import authority_name, keys_name
from vks.runtime.result import Waiting

POLL = 1.0


class Keys:
    """And back: everything that Cluster API knew of the cluster goes, the keys last."""

    name = "Keys"

    async def do(self, scope: Scope) -> None:
        authority = await scope.secret(authority_name(scope.name))
        keys = await scope.secret(keys_name(scope.name))
        try:
            bodies = secrets(scope.cluster, authority, keys)
            access = kubeconfig(scope.cluster, endpoint_of(scope), authority, keys)
        except KeyError as missing:
            message = f"the cluster's keys lack {missing.args[0]}"
            raise Waiting("KeysIncomplete", message, 10.0) from None
        for body in (*bodies, access):
            await _ensure(scope, body)

    async def undo(self, scope: Scope) -> None:
        await dissolve(scope)


def endpoint_of(scope: Scope) -> Endpoint:
    """That of the load balancer. Raises Waiting while there is none."""
    endpoint = scope.cluster.spec.endpoint
    if endpoint is None or not endpoint.valid:
        raise Waiting("NoEndpoint", "the cluster has no load balancer yet", POLL)
    return endpoint


async def _ensure(scope: Scope, body: Body) -> None:
    """Once there, it is Cluster API's to renew. What the legacy provisioner has under the same
    name is of a type that Cluster API leaves alone, and a Secret's type is for good."""
    name = body["metadata"]["name"]
    try:
        found = await scope.client.get(Secret, name, scope.namespace)
    except NotFound:
        found = None
    if found is not None and found.type == SECRET_TYPE:
        return
    if found is not None:
        await scope.client.delete(Secret, name, scope.namespace, uid=found.metadata.uid)
    await scope.client.create(Secret, body, field_manager=FIELD_MANAGER)
