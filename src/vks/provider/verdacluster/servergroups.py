"""Phase: server groups, which keep the servers of a role on different hosts where possible."""

from __future__ import annotations

from vks.provider.verdacluster.scope import Scope
from vks.resources.verdacluster import ServerGroupsStatus

#: Strict anti-affinity would make a rolling update fail where a zone has as many hosts as servers.
POLICY = "soft-anti-affinity"

CONTROL_PLANE = "control-plane"
WORKER = "worker"


async def ensure_server_groups(scope: Scope) -> ServerGroupsStatus:
    compute = scope.account.cloud.compute
    control_plane = await compute.create_server_group(
        scope.owner, f"{scope.name}-{CONTROL_PLANE}", POLICY
    )
    worker = await compute.create_server_group(scope.owner, f"{scope.name}-{WORKER}", POLICY)
    return ServerGroupsStatus(control_plane_id=control_plane.id, worker_id=worker.id)
