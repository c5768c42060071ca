"""An API server and a cloud in memory, as far as the claim protocol of port pools sees them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
from tests.support.interleaving import outside

from vks.kube.errors import Invalid, NotFound
from vks.kube.objects import Condition, Key, KubeObject, ObjectMeta
from vks.resources.core import Secret
from vks.resources.fields import LocalReference
from vks.resources.verdamachine import VerdaMachine, VerdaMachineSpec
from vks.resources.verdaport import VerdaPort, VerdaPortSpec, VerdaPortStatus
from vks.verda import errors as verda
from vks.verda.compute import Server, ServerRequest
from vks.verda.network import FixedIP, Port
from vks.verda.owner import owner_tag

NAMESPACE = "p-test"
POOL = "demo.web"


class ApiServer:
    """Objects by kind and name, with resource versions, JSON patches and what the CRD's rules
    forbid."""

    def __init__(self) -> None:
        self.objects: dict[tuple[type[KubeObject], str], Any] = {}
        self._version = itertools.count(1)

    def put(self, obj: Any) -> None:
        meta = msgspec.structs.replace(obj.metadata, resource_version=str(next(self._version)))
        obj = msgspec.structs.replace(obj, metadata=meta)
        self.objects[type(obj), meta.name] = obj

    def of(self, model: type[Any]) -> dict[str, Any]:
        return {name: obj for (kind, name), obj in self.objects.items() if kind is model}

    # -- the client, every call of which stops

    async def get(self, model: type[Any], name: str, _: str = "") -> Any:
        if model is Secret:
            return Secret(data={"value": "I2Nsb3VkLWNvbmZpZwo="})
        return await outside(lambda: self._find(model, name))

    async def list(self, model: type[Any], *_: Any, **__: Any) -> Any:
        return await outside(lambda: SimpleNamespace(items=[*self.of(model).values()]))

    async def json_patch(self, model: type[Any], name: str, _: str, ops: Any) -> Any:
        return await outside(lambda: self._patch(model, name, ops))

    async def record_server(self, name: str, server_id: str) -> None:
        """The status that a machine's controller publishes."""

        def write() -> None:
            machine = self._find(VerdaMachine, name)
            status = msgspec.structs.replace(machine.status, server_id=server_id)
            self.put(msgspec.structs.replace(machine, status=status))

        await outside(write)

    async def remove_finalizer(self, name: str) -> None:
        await outside(lambda: self.objects.pop((VerdaMachine, name), None))

    def _find(self, model: type[Any], name: str) -> Any:
        if (model, name) not in self.objects:
            raise NotFound(f"{name} not found", status=404)
        return self.objects[model, name]

    def _patch(self, model: type[Any], name: str, ops: Any) -> Any:
        before = self._find(model, name)
        document = msgspec.to_builtins(before)
        for op in ops:
            *parents, last = op["path"].strip("/").split("/")
            target = document
            for part in parents:
                target = target.get(part) or {}
            if op["op"] == "test" and target.get(last) != op["value"]:
                raise Invalid("the server rejected our request", status=422)
            if op["op"] == "add":
                target[last] = op["value"]
            elif op["op"] == "remove":
                target[last] = None
        after = msgspec.convert(document, model)
        if isinstance(after, VerdaPort):
            _hold_rules(before, after)
        self.put(after)
        return self._find(model, name)


def _hold_rules(old: VerdaPort, new: VerdaPort) -> None:
    """The rules that the CRD of VerdaPort has; a violation is a broken protocol, not a race."""
    assert new.spec.token >= old.spec.token
    if old.spec.claim is not None and new.spec.claim is not None:
        assert old.spec.claim.owner == new.spec.claim.owner
    if old.spec.claim is None and new.spec.claim is not None:
        assert new.spec.token > old.spec.token


@dataclass
class Verda:
    """Nova and Neutron: a port has one device; deleting takes time, letting go of a port more."""

    servers: dict[str, Server] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    ports_of_servers: dict[str, str] = field(default_factory=dict)
    _numbers: Any = field(default_factory=itertools.count)

    def account(self) -> Any:
        async def settle(_: str) -> None:
            return None

        async def none(_: str) -> list[Any]:
            return []

        async def thing(reference: str) -> Any:
            return SimpleNamespace(id=reference)

        network = SimpleNamespace(port=self.port, ports_of=none)
        cloud = SimpleNamespace(network=network, compute=self, settle=settle)
        poller = SimpleNamespace(follow=lambda *_, **__: None, forget=lambda _: None)
        catalogue = SimpleNamespace(flavor=thing, image=thing)
        return SimpleNamespace(cloud=cloud, poller=poller, catalogue=catalogue)

    async def port(self, port_id: str) -> Port:
        found: Port = await outside(
            lambda: Port(
                id=port_id,
                network_id="net",
                fixed_ips=(FixedIP(f"10.0.0.{port_id}"),),
                device_id=self.devices.get(port_id, ""),
            )
        )
        return found

    async def servers_of(self, owner: str) -> list[Server]:
        return await outside(lambda: [s for s in self.servers.values() if s.owner == owner])

    async def find_server(self, server_id: str) -> Server | None:
        return await outside(lambda: self.servers.get(server_id))

    async def create_server(self, owner: str, request: ServerRequest) -> str:
        found = await self.servers_of(owner)
        return found[0].id if found else await outside(lambda: self._boot(owner, request))

    async def delete_server(self, server_id: str) -> bool:
        return await outside(lambda: self._delete(server_id))

    def _boot(self, owner: str, request: ServerRequest) -> str:
        (port_id,) = request.port_ids
        if self.devices.get(port_id):
            raise verda.Conflict(f"Port {port_id} is still in use.", status=409)
        server_id = f"s{next(self._numbers)}"
        self.devices[port_id] = server_id
        self.ports_of_servers[server_id] = port_id
        self.servers[server_id] = Server(
            id=server_id,
            name=request.name,
            status="ACTIVE",
            tags=(owner_tag(owner),),
            metadata=request.metadata,
        )
        return server_id

    def _delete(self, server_id: str) -> bool:
        server = self.servers.get(server_id)
        if server is not None:
            self.servers[server_id] = msgspec.structs.replace(server, task_state="deleting")
        return server is not None

    # -- what Nova does in its own time

    def bury(self, server_id: str) -> None:
        if self.servers[server_id].task_state == "deleting":
            del self.servers[server_id]

    def let_go(self, port_id: str) -> None:
        if self.devices.get(port_id) and self.devices[port_id] not in self.servers:
            self.devices[port_id] = ""


def machine(name: str, number: int) -> VerdaMachine:
    return VerdaMachine(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE, uid=f"uid-{number}"),
        spec=VerdaMachineSpec(
            flavor="small", image="debian", port_pool_ref=LocalReference(name=POOL)
        ),
    )


def slot(number: int) -> VerdaPort:
    return VerdaPort(
        metadata=ObjectMeta(name=f"{POOL}.{number}", namespace=NAMESPACE, uid=f"slot-{number}"),
        spec=VerdaPortSpec(cluster_name="demo", pool_ref=LocalReference(name=POOL)),
        status=VerdaPortStatus(
            port_id=str(number),
            address=f"10.0.0.{number}",
            conditions=(Condition(type="Ready", status="True"),),
        ),
    )


__all__ = ["NAMESPACE", "ApiServer", "Key", "Verda", "machine", "slot"]
