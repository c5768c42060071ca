"""Which writes are left out, counted at the client."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import msgspec

from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.objects import KubeObject, KubeStruct, Resource


class Status(KubeStruct, frozen=True, kw_only=True):
    phase: str = ""
    other: str = ""


class Thing(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource("test", "v1", "Thing", "things")
    status: Status = Status()


class Server:
    """Holds one Thing and takes applies of its status."""

    def __init__(self) -> None:
        meta = {"name": "a", "namespace": "n", "resourceVersion": "1"}
        self.thing = msgspec.convert({"metadata": meta}, Thing)
        self.writes = 0

    async def apply(self, _model: Any, body: Any, **_: Any) -> Thing:
        self.writes += 1
        return self.become(**body["status"])

    def become(self, **status: str) -> Thing:
        """Somebody writes: without `status`, to another part of the object."""
        version = str(int(self.thing.metadata.resource_version) + 1)
        meta = msgspec.structs.replace(self.thing.metadata, resource_version=version)
        new = msgspec.structs.replace(self.thing.status, **status)
        self.thing = msgspec.structs.replace(self.thing, metadata=meta, status=new)
        return self.thing


def say(phase: str) -> dict[str, Any]:
    return {"metadata": {"name": "a", "namespace": "n"}, "status": {"phase": phase}}


async def _publish(applier: Applier, server: Server, phase: str) -> None:
    await applier.apply(Thing, say(phase), observed=server.thing, subresource="status")


async def test_a_status_is_not_said_again_because_others_wrote_elsewhere() -> None:
    server = Server()
    applier = Applier(cast(Client, server), "me")
    await _publish(applier, server, "Ready")
    await _publish(applier, server, "Ready")
    server.become()  # a label, an owner reference
    await _publish(applier, server, "Ready")
    assert server.writes == 1


async def test_a_status_that_somebody_changed_is_put_right() -> None:
    server = Server()
    applier = Applier(cast(Client, server), "me")
    await _publish(applier, server, "Ready")
    server.become(phase="Lost")
    await _publish(applier, server, "Ready")
    assert (server.writes, server.thing.status.phase) == (2, "Ready")


async def test_a_new_status_and_the_first_one_of_a_process_are_always_sent() -> None:
    server = Server()
    applier = Applier(cast(Client, server), "me")
    await _publish(applier, server, "Ready")
    await _publish(applier, server, "Gone")
    await _publish(applier, server, "Ready")
    await _publish(Applier(cast(Client, server), "me"), server, "Ready")
    assert server.writes == 4
