"""Static IP pools as the API shows them: pure functions."""

from __future__ import annotations

from vks.kube.objects import find_condition
from vks.resources.contract import READY
from vks.resources.verdaport import VerdaPort, VerdaPortPool
from vks.service.api.conditions import condition_views
from vks.service.api.static_ip_models import SlotView, StaticIPPoolView


def static_ip_pool_view(pool: VerdaPortPool, ports: dict[str, VerdaPort]) -> StaticIPPoolView:
    """`ports` by the name of their slot."""
    cluster, _, name = pool.metadata.name.partition(".")
    reserved = next((port.status for port in ports.values() if port.status.port_id), None)
    status = pool.status
    return StaticIPPoolView(
        name=name or cluster,
        cluster=pool.spec.cluster_name,
        node_pool=name,
        subnet=pool.spec.subnet_id or (reserved.subnet_id if reserved else None),
        gateway=(reserved.gateway or None) if reserved else None,
        total=status.total,
        free=status.free,
        in_use=status.in_use,
        slots=[_slot(slot, ports[slot]) for slot in sorted(ports, key=_natural)],
        conditions=condition_views(status.conditions),
    )


def _natural(name: str) -> tuple[int, str]:
    """2 before 10."""
    return (int(name) if name.isdecimal() else 0, name)


def _slot(name: str, port: VerdaPort) -> SlotView:
    status, claim = port.status, port.spec.claim
    ready = find_condition(status.conditions, READY)
    return SlotView(
        name=name,
        address=status.address or port.spec.address,
        mac=status.mac_address or None,
        port=status.port_id or None,
        zone=port.spec.zone,
        node=claim.name if claim is not None else None,
        state=status.state,
        since=status.since or None,
        message="" if ready is None or ready.status == "True" else ready.message,
    )
