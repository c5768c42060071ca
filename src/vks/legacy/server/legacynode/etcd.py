"""etcd's membership, asked and changed through the agent of a member.

etcd's JSON gateway is used (etcd.io/docs, "gRPC gateway"): 64-bit ids are strings there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from vks.legacy.plan.etcd import peer_url
from vks.legacy.server.hub import CallFailed


class Caller(Protocol):
    """A Session of the hub, as far as it is needed here."""

    async def call(self, endpoint: str, method: str, path: str, body: str = "") -> str: ...


class Member(msgspec.Struct, frozen=True):
    """`name` is empty until the member has started for the first time."""

    id: str = msgspec.field(name="ID")
    name: str = ""
    peer_urls: tuple[str, ...] = msgspec.field(name="peerURLs", default=())
    learner: bool = msgspec.field(name="isLearner", default=False)


class _Members(msgspec.Struct, frozen=True):
    members: tuple[Member, ...] = ()


class _Header(msgspec.Struct, frozen=True):
    member_id: str = ""


class _Status(msgspec.Struct, frozen=True):
    header: _Header = _Header()
    leader: str = ""


async def members(session: Caller) -> tuple[Member, ...]:
    """All members, as the leader knows them. Raises CallFailed."""
    answer = await _call(session, "list", {"linearizable": True})
    return msgspec.json.decode(answer, type=_Members).members


async def join(session: Caller, name: str, address: str) -> str:
    """Announce a learner, once, which will start under that name; its `initial-cluster`. Raises
    CallFailed."""
    url = peer_url(address)
    known = await members(session)
    if all(url not in member.peer_urls for member in known):
        await _call(session, "add", {"peerURLs": [url], "isLearner": True})
        known = await members(session)
    named = [
        (name if url in member.peer_urls else member.name, peer)
        for member in known
        for peer in member.peer_urls
    ]
    return ",".join(f"{name}={peer}" for name, peer in named)


async def promote(session: Caller, address: str) -> str:
    """Let a learner vote; empty when it does, else why it may not yet. Raises CallFailed when the
    member is unknown or nobody answers."""
    member = _with_address(await members(session), address)
    if member is None:
        raise CallFailed(f"etcd has no member at {address}")
    if not member.learner:
        return ""
    try:
        await _call(session, "promote", {"ID": member.id})
    except CallFailed as error:
        if error.status == 0:
            raise
        return error.message
    return ""


async def hand_over(session: Caller, endpoint: str, address: str, heirs: Iterable[str]) -> None:
    """If the member at the address, behind that endpoint of the node, leads, let one at the heirs'
    addresses lead: what a leader has in hand when it is removed is answered after seconds, by a
    failure. Raises CallFailed; a member that does not answer does not lead for long."""
    known = await members(session)
    heir = next((m for a in heirs if (m := _with_address(known, a)) is not None), None)
    if heir is None or _with_address(known, address) is None:
        return
    answer = await session.call(endpoint, "POST", "/v3/maintenance/status", "{}")
    status = msgspec.json.decode(answer, type=_Status)
    if status.leader == status.header.member_id:
        body = msgspec.json.encode({"targetID": heir.id}).decode()
        await session.call(endpoint, "POST", "/v3/maintenance/transfer-leadership", body)


async def leave(session: Caller, address: str) -> None:
    """Take a member out; it may already be. Raises CallFailed."""
    member = _with_address(await members(session), address)
    if member is not None:
        await _call(session, "remove", {"ID": member.id})


def _with_address(known: tuple[Member, ...], address: str) -> Member | None:
    return next((m for m in known if peer_url(address) in m.peer_urls), None)


async def _call(session: Caller, what: str, body: dict[str, Any]) -> str:
    text = msgspec.json.encode(body).decode()
    return await session.call("etcd", "POST", f"/v3/cluster/member/{what}", text)
