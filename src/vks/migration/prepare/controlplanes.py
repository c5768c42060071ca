"""Certificates, flags and etcd members' names: the control planes restart one after another."""

from __future__ import annotations

import msgspec

from vks.migration.prepare.loadbalancing import balancer_of
from vks.migration.prepare.rolling import Change, Goal, Hold, decide
from vks.migration.run.scope import Scope
from vks.runtime.result import Waiting

POLL = 1.0


class ControlPlanes:
    """The node-side work is the legacy provisioner's, which is asked for one node at a time."""

    name = "ControlPlanes"

    async def do(self, scope: Scope) -> None:
        vip = (await balancer_of(scope)).vip_address
        planes = scope.control_planes
        own = {n.status.address for n in planes} | {n.metadata.name for n in planes}
        await self._advance(scope, server_names=(vip, *sorted(own)))

    async def undo(self, scope: Scope) -> None:
        await self._advance(scope, back=True)

    async def _advance(
        self, scope: Scope, *, server_names: tuple[str, ...] = (), back: bool = False
    ) -> None:
        endpoint = scope.cluster.status.endpoint
        goal = Goal(
            replicas=scope.cluster.spec.control_plane.replicas,
            endpoint=endpoint.host if endpoint is not None else "",
            server_names=server_names,
            back=back,
        )
        match decide(scope.nodes, goal):
            case Change(node=node, preparation=preparation, progress=progress):
                wanted = {
                    name: value
                    for name, value in msgspec.to_builtins(preparation).items()
                    if value is not None
                }
                await scope.prepare(node, wanted)
                scope.progress[node.metadata.name] = progress
                raise Waiting("ControlPlaneChanges", f"{node.metadata.name} {progress}", POLL)
            case Hold(reason=reason, message=message):
                raise Waiting(reason, message, POLL)
            case None:
                _require_names(scope, back=back)


def _require_names(scope: Scope, *, back: bool) -> None:
    """What counts is how etcd itself calls its members: Cluster API removes those whose node it
    does not know. Raises Waiting."""
    prefix = "etcd-" if back else ""
    wanted = {f"{prefix}{node.metadata.name}" for node in scope.control_planes}
    members = {member.name for member in scope.cluster.status.etcd_members}
    if members != wanted:
        message = f"etcd's members are {', '.join(sorted(members))}"
        raise Waiting("MemberNamesPending", message, POLL)
