"""Nodes without machines: the true agent, talking to the true hub, on a host that is made up.

`World` is one cluster's inside: an etcd whose membership has its rules, and an API server that
knows nodes and pods. Every fake host is a server of the cloud.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from tests.unit.legacy.builders import IMAGES

from vks.legacy.agent.node import Plan, PlanError, Request, Response
from vks.legacy.agent.session import Agent, Settings

_LEARNER_MESSAGE = "etcdserver: can only promote a learner member which is in sync with leader"
_FULL_MESSAGE = "etcdserver: too many learner members in cluster"


@dataclass
class Member:
    id: str
    name: str
    peer_url: str
    learner: bool


@dataclass
class World:
    """What is true inside of one cluster, whatever agents and hub believe."""

    members: list[Member] = field(default_factory=list)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, str] = field(default_factory=dict)  # name: node
    applied: list[str] = field(default_factory=list)
    evicted: list[str] = field(default_factory=list)
    #: For every change of membership: (voters before, voters after).
    votes: list[tuple[int, int]] = field(default_factory=list)
    hosts: dict[str, Host] = field(default_factory=dict)
    _count: int = 0

    @property
    def voters(self) -> list[str]:
        return sorted(member.name for member in self.members if not member.learner)

    def started(self, name: str, address: str, state: str) -> None:
        """An etcd process came up for the first time. A second founder would be a second etcd."""
        url = f"https://{address}:2380"
        known = next((m for m in self.members if m.peer_url == url), None)
        if known is not None:
            known.name = name
        elif state == "new":
            assert not self.members, f"{name} founds an etcd beside {self.members}"
            self._add(name, url, learner=False)

    def etcd(self, path: str, body: dict[str, Any]) -> Response:
        action = path.rpartition("/")[2]
        before = len(self.voters)
        if action == "add":
            if any(member.learner for member in self.members):
                return _error(_FULL_MESSAGE)
            assert body["isLearner"], "a voter that has not started costs the quorum"
            self._add("", body["peerURLs"][0], learner=True)
        elif action == "promote":
            member = self._member(body["ID"])
            if not member.name:
                return _error(_LEARNER_MESSAGE)
            member.learner = False
        elif action == "remove":
            self.members.remove(self._member(body["ID"]))
        if before != len(self.voters):
            self.votes.append((before, len(self.voters)))
        listed = [
            {"ID": m.id, "name": m.name, "peerURLs": [m.peer_url], "isLearner": m.learner}
            for m in self.members
        ]
        return Response(200, json.dumps({"members": listed}))

    def api(self, request: Request) -> Response:
        url = urlsplit(request.path)
        parts = url.path.split("/")
        if url.path == "/api/v1/pods":
            node = parse_qs(url.query)["fieldSelector"][0].removeprefix("spec.nodeName=")
            items = [
                {"metadata": {"name": pod, "namespace": "default"}, "status": {"phase": "Running"}}
                for pod, where in sorted(self.pods.items())
                if where == node
            ]
            return Response(200, json.dumps({"items": items}))
        if parts[-1] == "eviction":
            self.evicted.append(parts[-2])
            del self.pods[parts[-2]]
            return Response(201, "{}")
        if parts[:4] == ["", "api", "v1", "nodes"]:
            return self._node(request.method, parts[4], request.body)
        self.applied.append(url.path)
        return Response(200, "{}")

    def _node(self, method: str, name: str, body: str) -> Response:
        if name not in self.nodes:
            return Response(404, "not found")
        if method == "DELETE":
            del self.nodes[name]
        elif method == "PATCH":
            patch = json.loads(body)
            labels = patch.get("metadata", {}).get("labels", {})
            self.nodes[name]["metadata"]["labels"].update(labels)
            self.nodes[name]["spec"].update(patch.get("spec", {}))
        return Response(200, json.dumps(self.nodes.get(name, {})))

    def register(self, name: str) -> dict[str, Any]:
        """A kubelet joined: it gets a podCIDR."""
        if name not in self.nodes:
            self._count += 1
            self.nodes[name] = {
                "metadata": {"name": name, "labels": {}},
                "spec": {"podCIDR": f"10.244.{self._count}.0/24"},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            }
        return self.nodes[name]

    def _add(self, name: str, url: str, *, learner: bool) -> None:
        self._count += 1
        self.members.append(
            Member(str(9_000_000_000_000_000_000 + self._count), name, url, learner)
        )

    def _member(self, id_: str) -> Member:
        return next(member for member in self.members if member.id == id_)


def _error(message: str) -> Response:
    return Response(400, json.dumps({"error": message, "code": 9}))


class Host:
    """One server's inside. It runs what its plan says, as far as that can be seen."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.plans: list[Plan] = []
        self.broken: set[str] = set()  # names of services that do not come up
        self.failure = ""
        world.hosts[name] = self

    @property
    def services(self) -> set[str]:
        return {service["name"] for service in self.plans[-1]["services"]} if self.plans else set()

    async def images(self) -> list[str]:
        return list(IMAGES)

    async def apply(self, plan: Plan) -> None:
        if self.failure:
            raise PlanError(self.failure)
        if not self.plans or self.plans[-1]["digest"] != plan["digest"]:
            self.plans.append(plan)
        for service in plan["services"]:
            if service["name"] == "legacy-etcd":
                flags = dict(
                    word.strip('"').split("=", 1)
                    for word in service["unit"].split()
                    if word.startswith('"--') and "=" in word
                )
                address = flags["--initial-advertise-peer-urls"].split("//")[1].split(":")[0]
                self.world.started(flags["--name"], address, flags["--initial-cluster-state"])

    async def running(self, services: list[str]) -> dict[str, list[str]]:
        return {
            service["name"]: shlex.split(
                service["unit"].split("ExecStart=")[1].split("\nRestart=")[0].replace("\\\n", " ")
            )
            for service in (self.plans[-1]["services"] if self.plans else ())
            if service["name"] not in self.broken
        }

    async def fetch(self, request: Request) -> Response:
        await asyncio.sleep(0)
        if request.port == 2379 and request.method == "POST":
            return self.world.etcd(request.path, json.loads(request.body))
        if request.port == 6443 and not request.path.startswith("/readyz"):
            return self.world.api(request)
        if request.port == 7443:
            if "legacy-kubelet" not in self.services or self.broken:
                return Response(0, "connection refused")
            return Response(200, json.dumps(self.world.register(self.name)))
        return Response(0, "connection refused") if self.broken else Response(200, "ok")


def settings_of(user_data: str) -> Settings:
    """What the agent would read on its server, out of the user data that Nova was given."""
    document = yaml.safe_load(base64.b64decode(user_data))
    files = {file["path"]: file["content"] for file in document["write_files"]}
    return Settings(**json.loads(files["/etc/vks-legacy/agent.json"]))


@asynccontextmanager
async def agent(settings: Settings, host: Host) -> AsyncIterator[asyncio.Task[None]]:
    """A running agent; its end is a power cut."""
    task = asyncio.create_task(Agent(settings, host).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
