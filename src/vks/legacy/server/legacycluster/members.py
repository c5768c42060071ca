"""Who etcd's members are: asked when a node's membership changed, and now and then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vks.legacy.server.hub import CallFailed, Session
from vks.legacy.server.legacynode.etcd import members
from vks.resources.legacycluster import LegacyCluster, LegacyEtcdMember
from vks.resources.legacynode import LegacyNode
from vks.runtime.clock import Clock

#: Seconds for which an answer is good while no node's membership changes.
TRUSTED = 60.0
#: Seconds until it is asked again while a member is not called yet what its process was told, or
#: one is about to go.
RENAMING = 2.0


class MemberWatch:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[str, tuple[object, float]] = {}

    async def look(
        self, cluster: LegacyCluster, nodes: Sequence[LegacyNode], session: Session | None
    ) -> tuple[LegacyEtcdMember, ...]:
        """What is known already, when nobody can be asked."""
        known, uid = cluster.status.etcd_members, cluster.metadata.uid
        now = self._clock.monotonic()
        seen = tuple(
            sorted(
                (n.metadata.name, n.status.etcd, n.status.running.get("etcd", {}).get("--name", ""))
                for n in nodes
                if n.status.etcd
            )
        )
        about = (seen, cluster.spec.guests)
        asked_for, asked_at = self._asked.get(uid, (None, 0.0))
        fresh = asked_for == about and now - asked_at < TRUSTED
        if session is None or (fresh and settled(cluster, nodes, known)):
            return known
        try:
            found = await members(session)
        except CallFailed:
            return known
        self._asked[uid] = (about, now)
        return tuple(
            LegacyEtcdMember(name=m.name, peer_url=m.peer_urls[0], learner=m.learner)
            for m in sorted(found, key=lambda member: member.peer_urls)
        )


def settled(
    cluster: LegacyCluster, nodes: Iterable[LegacyNode], members: Iterable[LegacyEtcdMember]
) -> bool:
    """Whether nobody is about to come, to go, or to be called otherwise."""
    leaves = any(guest.state == "Leaves" for guest in cluster.spec.guests)
    return not leaves and names_agree(nodes, members)


def names_agree(nodes: Iterable[LegacyNode], members: Iterable[LegacyEtcdMember]) -> bool:
    """Whether every etcd that runs is a member of the name that it was started with: it tells the
    others only once it is up."""
    told = {node.status.running.get("etcd", {}).get("--name", "") for node in nodes} - {""}
    return told <= {member.name for member in members}
