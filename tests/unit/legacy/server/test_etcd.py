"""What is asked of etcd through an agent."""

from __future__ import annotations

import json

import pytest

from vks.legacy.server.legacynode import etcd

MEMBERS = [
    {"ID": "1", "name": "a", "peerURLs": ["https://10.0.0.1:2380"]},
    {"ID": "9", "name": "guest", "peerURLs": ["https://10.0.0.9:2380"]},
]


class Agent:
    """Of a control plane that can ask the guest, too."""

    def __init__(self, leader: str) -> None:
        self._leader = leader
        self.handed_over: list[tuple[str, dict[str, str]]] = []

    async def call(self, endpoint: str, method: str, path: str, body: str = "") -> str:
        if path.endswith("/status"):
            return json.dumps({"header": {"member_id": "9"}, "leader": self._leader})
        if path.endswith("/transfer-leadership"):
            self.handed_over.append((endpoint, json.loads(body)))
        return json.dumps({"members": MEMBERS})


@pytest.mark.parametrize(
    ("leader", "expected"), [("9", [("etcd@10.0.0.9", {"targetID": "1"})]), ("1", [])]
)
async def test_a_member_that_leads_hands_over_before_it_leaves(
    leader: str, expected: list[object]
) -> None:
    agent = Agent(leader)
    await etcd.hand_over(agent, "etcd@10.0.0.9", "10.0.0.9", ["10.0.0.1"])
    assert agent.handed_over == expected


@pytest.mark.parametrize(("address", "heirs"), [("10.0.0.9", []), ("10.0.0.8", ["10.0.0.1"])])
async def test_nothing_is_handed_over_without_an_heir_or_by_one_that_has_left(
    address: str, heirs: list[str]
) -> None:
    agent = Agent(leader="9")
    await etcd.hand_over(agent, "etcd@10.0.0.9", address, heirs)
    assert agent.handed_over == []
