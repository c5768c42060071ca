"""Performs one step and returns what is known afterwards. Every step finds what an earlier,
interrupted run of it has made."""

from __future__ import annotations

import base64
import binascii
import gzip

import msgspec

from vks.kube.client import Client
from vks.kube.errors import NotFound as ObjectNotFound
from vks.provider.conditions import BOOTSTRAP_DATA_READY, LOAD_BALANCER_READY, SERVER_READY
from vks.provider.verdamachine.observation import (
    NO_ROOM,
    AskServer,
    ClaimSlot,
    DiscardServer,
    EnsureMember,
    EnsurePort,
    EnsureServer,
    Observation,
    ReadConsole,
)
from vks.provider.verdamachine.slot import claim_slot
from vks.provider.verdaport.claiming import confirm
from vks.provider.verdaport.holding import POLL, PORT_IN_USE, marks, require_let_go
from vks.resources.contract import CLUSTER_NAME_LABEL
from vks.resources.core import Secret
from vks.runtime.result import ReconcileError, Waiting
from vks.verda.accounts import Account
from vks.verda.apibalancer import API_PORT
from vks.verda.compute import MAX_USER_DATA, Server, ServerRequest
from vks.verda.errors import GROUP_MEMBERS, CloudError, Conflict, NotFound, QuotaExceeded
from vks.verda.network import PortRequest
from vks.verda.redact import redact

#: Seconds between looks at a server that makes way.
DISCARD_POLL = 1.0
CONSOLE_LINES = 40
CONSOLE_CHARACTERS = 4000

Action = (
    ClaimSlot | EnsurePort | EnsureMember | EnsureServer | AskServer | DiscardServer | ReadConsole
)


class Blocked(ReconcileError):  # noqa: N818 - a finding that the user has to act upon
    """The step cannot be taken with what the user gave. `condition` says which one is false."""

    def __init__(self, condition: str, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.condition = condition


async def act(step: Action, seen: Observation, account: Account, client: Client) -> Observation:
    """Take the step. Raises CloudError, ApiError, Blocked."""
    match step:
        case ClaimSlot(name=name):
            return await claim_slot(seen, name, client)
        case EnsurePort():
            return await _ensure_port(seen, account)
        case EnsureMember():
            return await _ensure_member(seen, account)
        case EnsureServer():
            return await _ensure_server(seen, account, client)
        case AskServer(server_id=server_id):
            return await _ask_server(seen, account, server_id)
        case DiscardServer(server_id=server_id):
            return await _discard_server(seen, account, server_id)
        case ReadConsole(server_id=server_id):
            return await _read_console(seen, account, server_id)


async def _ensure_port(seen: Observation, account: Account) -> Observation:
    if seen.slot is not None:
        reserved = seen.slot.status
        return msgspec.structs.replace(seen, port_id=reserved.port_id, port_ip=reserved.address)
    network = seen.verda_cluster.status.network
    client = account.cloud.network
    if seen.port_id is not None:
        try:
            port = await client.port(seen.port_id)
            return msgspec.structs.replace(seen, port_ip=port.ip)
        except NotFound:
            pass  # deleted by someone: make another
    port = await client.create_port(
        seen.owner,
        PortRequest(
            name=seen.machine.metadata.name,
            network_id=network.network_id,
            subnet_id=network.subnet_id,
            security_group_ids=(network.security_group_id,),
            allowed_cidrs=seen.owner_cluster.spec.cluster_network.pods.cidr_blocks,
        ),
    )
    return msgspec.structs.replace(seen, port_id=port.id, port_ip=port.ip)


async def _ensure_member(seen: Observation, account: Account) -> Observation:
    pool_id = seen.verda_cluster.status.load_balancer.pool_id
    if not pool_id:
        raise Blocked(LOAD_BALANCER_READY, "NoLoadBalancer", "the cluster has no load balancer")
    member = await account.cloud.loadbalancer.add_member(
        pool_id, seen.machine.metadata.name, seen.port_ip, API_PORT, seen.zone
    )
    return msgspec.structs.replace(seen, member_id=member.id)


async def _ensure_server(seen: Observation, account: Account, client: Client) -> Observation:
    """A server that boots on a slot's port is asked for when the claim stands and nobody else
    has the port."""
    if seen.slot is not None:
        await require_let_go(seen.slot, account, seen.owner)
    request = await _request(seen, account, client)
    if seen.slot is not None:
        await confirm(client, seen.slot)
    try:
        server_id = await _create_server(seen, account, request)
    except Conflict as error:
        if seen.slot is None:
            raise
        raise Waiting(PORT_IN_USE, error.message, POLL) from error  # taken since we looked
    # What Nova would say now, without asking: the poller tells what becomes of it.
    server = Server(id=server_id, name=request.name, status="BUILD", zone=seen.zone)
    return msgspec.structs.replace(seen, server_id=server_id, server=server, server_asked=True)


async def _create_server(seen: Observation, account: Account, request: ServerRequest) -> str:
    """A worker that its group has no room for (Nova's quota is ten by default) is made without:
    workers are kept apart as far as it goes."""
    compute = account.cloud.compute
    try:
        return await compute.create_server(seen.owner, request)
    except QuotaExceeded as error:
        if error.what != GROUP_MEMBERS or seen.owner_machine.is_control_plane:
            raise
    return await compute.create_server(seen.owner, request._replace(group_id=None))


async def _request(seen: Observation, account: Account, client: Client) -> ServerRequest:
    spec = seen.machine.spec
    flavor = await account.catalogue.flavor(spec.flavor)
    if flavor is None:
        raise Blocked(SERVER_READY, "FlavorNotFound", f"flavor {spec.flavor} does not exist")
    image = await account.catalogue.image(spec.image)
    if image is None:
        raise Blocked(SERVER_READY, "ImageNotFound", f"image {spec.image} does not exist")
    groups = seen.verda_cluster.status.server_groups
    control_plane = seen.owner_machine.is_control_plane
    cluster_name = seen.machine.metadata.labels.get(CLUSTER_NAME_LABEL, "")
    return ServerRequest(
        name=seen.machine.metadata.name,
        flavor_id=flavor.id,
        image_id=image.id,
        port_ids=(seen.port_id or "",),
        user_data=await _bootstrap_data(seen, client),
        zone=seen.zone,
        key_name=spec.key_name,
        volume_gib=spec.root_volume.size_gib if spec.root_volume is not None else None,
        metadata={
            **spec.server_metadata,
            "vks.cluster": f"{seen.machine.metadata.namespace}/{cluster_name}",
            "vks.role": "control-plane" if control_plane else "worker",
            **(marks(seen.slot) if seen.slot is not None else {}),
        },
        group_id=(groups.control_plane_id if control_plane else groups.worker_id) or None,
    )


async def _bootstrap_data(seen: Observation, client: Client) -> bytes:
    """The bootstrap provider's bytes, packed only when Nova would refuse them as they are."""
    name = seen.owner_machine.spec.bootstrap.data_secret_name or ""
    try:
        secret = await client.get(Secret, name, seen.machine.metadata.namespace)
    except ObjectNotFound:
        raise Blocked(
            BOOTSTRAP_DATA_READY, "BootstrapSecretNotFound", f"Secret {name} does not exist"
        ) from None
    try:
        data = base64.b64decode(secret.data["value"], validate=True)
        form = base64.b64decode(secret.data.get("format", "")).decode() or "cloud-config"
    except (KeyError, binascii.Error, UnicodeDecodeError):
        raise Blocked(
            BOOTSTRAP_DATA_READY, "BootstrapDataInvalid", f"Secret {name} has no readable value"
        ) from None
    return fit_user_data(data, packable=form == "cloud-config")


def fit_user_data(data: bytes, *, packable: bool) -> bytes:
    """`data`, gzipped when it is too large (cloud-init unpacks it; Ignition would not). Raises
    Blocked when that does not help."""
    room = MAX_USER_DATA // 4 * 3
    if len(data) <= room:
        return data
    packed = gzip.compress(data, mtime=0) if packable else data
    if len(packed) > room:
        raise Blocked(
            BOOTSTRAP_DATA_READY,
            "BootstrapDataTooLarge",
            f"bootstrap data is {len(data)} bytes, {len(packed)} packed; Nova accepts {room}",
        )
    return packed


async def _ask_server(seen: Observation, account: Account, server_id: str) -> Observation:
    server = await account.poller.look(server_id)
    address = seen.port_ip or (server.ips[0] if server is not None and server.ips else "")
    return msgspec.structs.replace(
        seen, server_id=server_id, server=server, server_asked=True, port_ip=address
    )


async def _discard_server(seen: Observation, account: Account, server_id: str) -> Observation:
    """Raises Waiting until Nova has forgotten it, and with it lets go of the port. The reason stays
    the same whatever Nova answers: it is the record by which a later attempt goes on."""
    compute = account.cloud.compute
    try:
        await compute.delete_server(server_id)
        left = await compute.find_server(server_id) is not None
    except CloudError as error:
        message = f"server {server_id}, which found no host, cannot be deleted: {error.message}"
        raise Waiting(NO_ROOM, message, DISCARD_POLL) from error
    if left:
        raise Waiting(NO_ROOM, f"server {server_id}, which found no host, goes first", DISCARD_POLL)
    account.poller.forget(server_id)
    return msgspec.structs.replace(seen, server_id=None, server=None, server_asked=False)


async def _read_console(seen: Observation, account: Account, server_id: str) -> Observation:
    try:
        output = await account.cloud.compute.console_output(server_id, CONSOLE_LINES)
    except (NotFound, Conflict):  # a server that is not built yet has none
        output = ""
    return msgspec.structs.replace(seen, console=redact(output)[-CONSOLE_CHARACTERS:])
