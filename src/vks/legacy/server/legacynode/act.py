"""Performs one step and returns what is known afterwards. Every step finds what an earlier,
interrupted run of it has made."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from vks.legacy.bundle import user_data
from vks.legacy.plan.etcd import member_name, peer_url
from vks.legacy.plan.facts import ImageMissingError, Images
from vks.legacy.server import stores
from vks.legacy.server.conditions import SERVER_READY
from vks.legacy.server.hub import CallFailed, Hub, Session
from vks.legacy.server.legacynode import etcd
from vks.legacy.server.legacynode.decide import waits_to_join
from vks.legacy.server.legacynode.observation import (
    AskServer,
    EnsurePort,
    EnsureServer,
    FoundEtcd,
    JoinEtcd,
    MakePlan,
    Observation,
    PromoteEtcd,
    SendPlan,
    Wait,
)
from vks.legacy.server.legacynode.planning import introduction_of, plan_of, sponsor_of
from vks.legacy.server.secrets import Vault
from vks.resources.legacynode import EtcdMember, LegacyNode
from vks.verda.accounts import Account
from vks.verda.compute import ServerRequest
from vks.verda.errors import NotFound
from vks.verda.network import PortRequest

#: Seconds after which a wrong flavor or image is looked for again.
BLOCKED_POLL = 10.0

Action = (
    EnsurePort | EnsureServer | AskServer | FoundEtcd | JoinEtcd | PromoteEtcd | MakePlan | SendPlan
)


class Tools(NamedTuple):
    """What steps are performed with. `hub_url` and `hub_ca` (PEM) are for agents."""

    account: Account
    hub: Hub
    vault: Vault
    hub_url: str
    hub_ca: str


async def act(
    step: Action, seen: Observation, peers: list[LegacyNode], tools: Tools
) -> Observation | Wait:
    """Take the step; a Wait says why it could not be. Raises CloudError, ApiError, CallFailed."""
    match step:
        case EnsurePort():
            return await _ensure_port(seen, tools)
        case EnsureServer():
            return await _ensure_server(seen, tools)
        case AskServer():
            server = await tools.account.poller.look(seen.server_id or "")
            return msgspec.structs.replace(seen, server=server, server_asked=True)
        case FoundEtcd():
            name, url = member_name(seen.node.metadata.name), peer_url(seen.address)
            member = EtcdMember(initial_cluster=f"{name}={url}", state="new", voter=True)
            return msgspec.structs.replace(seen, etcd=member)
        case JoinEtcd():
            return await _join_etcd(seen, peers, tools)
        case PromoteEtcd():
            return await _promote_etcd(seen, peers, tools)
        case MakePlan():
            return await _make_plan(seen, peers, tools)
        case SendPlan():
            return await _send_plan(seen, tools)


async def _ensure_port(seen: Observation, tools: Tools) -> Observation | Wait:
    if seen.node.spec.slot is not None:
        return _reserved_port(seen)
    network = seen.cluster.status.network
    client = tools.account.cloud.network
    if seen.port_id is not None:
        try:
            port = await client.port(seen.port_id)
            return msgspec.structs.replace(seen, address=port.ip)
        except NotFound:
            pass  # deleted by someone: make another
    port = await client.create_port(
        seen.node.metadata.uid,
        PortRequest(
            name=seen.node.metadata.name,
            network_id=network.network_id,
            subnet_id=network.subnet_id,
            security_group_ids=(network.security_group_id,),
            allowed_cidrs=(seen.cluster.spec.network.pod_cidr,),
        ),
    )
    return msgspec.structs.replace(seen, port_id=port.id, address=port.ip)


def _reserved_port(seen: Observation) -> Observation | Wait:
    """The cluster's news bring the node back here."""
    own = (seen.node.spec.pool, seen.node.spec.slot)
    slot = next((s for s in seen.cluster.status.slots if (s.pool, s.name) == own), None)
    if slot is None or not slot.port_id:
        return Wait(SERVER_READY, "WaitingForAddress", f"slot {own[1]} is not reserved yet")
    return msgspec.structs.replace(seen, port_id=slot.port_id, address=slot.address)


async def _ensure_server(seen: Observation, tools: Tools) -> Observation | Wait:
    spec, meta = seen.node.spec, seen.node.metadata
    flavor = await tools.account.catalogue.flavor(spec.flavor)
    if flavor is None:
        message = f"flavor {spec.flavor} does not exist"
        return Wait(SERVER_READY, "FlavorNotFound", message, BLOCKED_POLL)
    image = await tools.account.catalogue.image(spec.image)
    if image is None:
        message = f"image {spec.image} does not exist"
        return Wait(SERVER_READY, "ImageNotFound", message, BLOCKED_POLL)
    token = await tools.vault.token(seen.node)
    request = ServerRequest(
        name=meta.name,
        flavor_id=flavor.id,
        image_id=image.id,
        port_ids=(seen.port_id or "",),
        user_data=user_data(
            tools.hub_url, tools.hub_ca, meta.namespace, meta.name, token, spec.ssh_public_key
        ),
        zone=spec.zone,
        metadata={
            "vks.cluster": f"{meta.namespace}/{spec.cluster_name}",
            "vks.role": spec.role,
        },
    )
    server_id = await tools.account.cloud.compute.create_server(meta.uid, request)
    return msgspec.structs.replace(seen, server_id=server_id, server_asked=False)


def _helper(seen: Observation, peers: list[LegacyNode], tools: Tools) -> Session | None:
    return stores.member_session(peers, tools.hub, besides=seen.node.metadata.name)


async def _join_etcd(
    seen: Observation, peers: list[LegacyNode], tools: Tools
) -> Observation | Wait:
    """One at a time: etcd itself has room for one learner, and a member that leaves goes first."""
    leaving = [node.metadata.name for node in peers if node.is_control_plane and node.deleting]
    if leaving:
        return waits_to_join(f"{', '.join(leaving)} leaves first")
    helper = _helper(seen, peers, tools) or await _introduced(seen, peers, tools)
    if helper is None:
        return waits_to_join("no control plane answers")
    name = seen.node.metadata.name
    preparation = seen.node.spec.preparation
    called = preparation.etcd_name if preparation is not None else None
    try:
        joined = await etcd.join(helper, called or member_name(name), seen.address)
    except CallFailed as error:
        if error.status == 0:
            raise
        return waits_to_join(error.message)
    member = EtcdMember(initial_cluster=joined, state="existing")
    return msgspec.structs.replace(seen, etcd=member)


async def _introduced(seen: Observation, peers: list[LegacyNode], tools: Tools) -> Session | None:
    """The node's own agent, once it can ask a guest's etcd: none of ours is left to do so."""
    session = tools.hub.session(seen.node.key)
    if session is None or sponsor_of(seen.cluster, peers) is None:
        return None
    try:
        images = Images.among(session.images)
    except ImageMissingError:
        return None  # which its own plan says
    plan = await introduction_of(seen, images, peers, tools.vault)
    if session.plan != plan.digest:
        await session.send_plan(plan)
    return session if session.report.plan == plan.digest else None


async def _promote_etcd(
    seen: Observation, peers: list[LegacyNode], tools: Tools
) -> Observation | Wait:
    helper = _helper(seen, peers, tools)
    if helper is None and sponsor_of(seen.cluster, peers) is not None:
        helper = tools.hub.session(seen.node.key)  # its plan leads to its sponsor
    if helper is None or seen.etcd is None:
        return waits_to_join("no control plane answers")
    refusal = await etcd.promote(helper, seen.address)
    if refusal:
        return waits_to_join(refusal)
    return msgspec.structs.replace(
        seen, etcd=msgspec.structs.replace(seen.etcd, voter=True), plan=None
    )


async def _make_plan(seen: Observation, peers: list[LegacyNode], tools: Tools) -> Observation:
    session = tools.hub.session(seen.node.key)
    try:
        images = Images.among(session.images if session is not None else ())
    except ImageMissingError as error:
        return msgspec.structs.replace(seen, unplannable=str(error))
    plan = await plan_of(seen, images, peers, tools.vault)
    return msgspec.structs.replace(seen, plan=plan, version=images.version)


async def _send_plan(seen: Observation, tools: Tools) -> Observation:
    session = tools.hub.session(seen.node.key)
    if session is None or seen.plan is None:
        return msgspec.structs.replace(seen, report=None)
    await session.send_plan(seen.plan)
    return msgspec.structs.replace(seen, sent=seen.plan.digest)
