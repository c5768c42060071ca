"""Brings servers to what the compute API recorded: the nova-compute of this cloud."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec

from vks.local.cloud.compute.nics import give_back
from vks.local.cloud.compute.tables import HOLLOW_TRAIT, SERVERS, VOLUMES, Interface, Server
from vks.local.cloud.compute.volumes import volume_of
from vks.local.cloud.core.database import Database
from vks.local.cloud.core.ids import now, seconds
from vks.local.cloud.core.settings import Settings
from vks.local.cloud.faults.rules import FaultRules
from vks.local.cloud.network.port_store import set_status
from vks.local.cloud.network.tables import PORTS, SUBNETS
from vks.local.cloud.network.tables import Port as NeutronPort
from vks.local.fabric import FabricError, Port
from vks.local.servers import Flavor, PowerState, ServerBackend, ServerError, ServerSpec

_REMEMBER_DELETED = timedelta(days=1)


class ServerWorker:
    """One pass over one server: its task, then its interfaces. Every step can be repeated."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        backend: ServerBackend,
        faults: FaultRules,
        ensure_network: Callable[[str], Awaitable[None]],
    ) -> None:
        self._db = db
        self._settings = settings
        self._backend = backend
        self._faults = faults
        self._ensure_network = ensure_network

    def unfinished(self) -> list[str]:
        """What a process that was killed left to do."""
        return [
            server.id
            for server in SERVERS.find(self._db)
            if server.task_state
            or any(server.deleted or one.state != "plugged" for one in server.interfaces)
        ]

    async def reconcile(self, server_id: str) -> None:
        server = SERVERS.get(self._db, id=server_id)
        if server is None:
            return
        if server.deleted:
            self._let_go(server)
            return
        if server.task_state is not None:
            if self._faults.held(f"server.{_verb(server)}", server.id, server.name):
                return
            await self._run(server, server.task_state)
        server = SERVERS.get(self._db, id=server_id)
        if server and not server.deleted and server.vm_state in ("active", "stopped"):
            await self._interfaces(server)

    async def _run(self, server: Server, task: str) -> None:
        if task == "deleting":
            await self._backend.delete(server.id)
            self._bury(server.id)
            return
        tasks: dict[str, tuple[Callable[[], Awaitable[None]], str]] = {
            "spawning": (lambda: self._spawn(server), "active"),
            "powering-off": (lambda: self._backend.stop(server.id), "stopped"),
            "powering-on": (lambda: self._backend.start(server.id), "active"),
            "rebooting": (lambda: self._backend.reboot(server.id), "active"),
            "rebooting_hard": (lambda: self._backend.reboot(server.id, hard=True), "active"),
        }
        work, state = tasks[task]
        try:
            await work()
        except (ServerError, FabricError) as failure:
            self._finish(server, task, "error", str(failure))
            return
        self._finish(server, task, state, None)

    async def _spawn(self, server: Server) -> None:
        for port in self._ports(server):
            await self._ensure_network(port.network_id)
        await self._backend.ensure_running(self.spec(server))

    def _finish(self, server: Server, task: str, state: str, failure: str | None) -> None:
        """Record the outcome unless the task was overtaken, as by a delete."""
        moment = seconds()
        power = PowerState.RUNNING if state == "active" else PowerState.SHUTDOWN
        with self._db.transaction():
            current = SERVERS.get(self._db, id=server.id)
            if current is None or current.task_state != task:
                return
            fault = {"message": failure, "created": moment} if failure is not None else None
            interfaces = current.interfaces
            if task == "spawning" and failure is None:
                plugged = {one.port_id for one in server.interfaces}
                interfaces = [
                    _plugged(one) if one.port_id in plugged else one for one in interfaces
                ]
            SERVERS.update(
                self._db,
                current,
                vm_state=state,
                task_state=None,
                power_state=int(PowerState.NOSTATE if failure is not None else power),
                fault=fault,
                interfaces=interfaces,
                launched_at=current.launched_at or (moment if state == "active" else None),
                updated_at=moment,
            )
            self._port_status(current, "ACTIVE" if state == "active" else "DOWN")

    def _port_status(self, server: Server, status: str) -> None:
        for port in self._ports(server):
            set_status(self._db, port, status)

    def _bury(self, server_id: str) -> None:
        moment = seconds()
        with self._db.transaction():
            server = SERVERS.get(self._db, id=server_id)
            if server is None:
                return
            VOLUMES.delete(self._db, server_id=server_id)
            SERVERS.update(
                self._db,
                server,
                deleted=True,
                vm_state="deleted",
                task_state=None,
                power_state=0,
                interfaces=self._give_back(server),
                user_data=None,
                terminated_at=moment,
                updated_at=moment,
            )

    def _let_go(self, server: Server) -> None:
        """The server is gone; so is now what a fault made it keep."""
        if server.interfaces:
            with self._db.transaction():
                SERVERS.update(self._db, server, interfaces=self._give_back(server))

    def _give_back(self, server: Server) -> list[Interface]:
        """Free the server's ports; those that a fault holds are left."""
        left = []
        for interface in server.interfaces:
            if self._faults.held("port.unbind", interface.port_id, server.name):
                left.append(interface)
            else:
                give_back(self._db, interface)
        return left

    async def _interfaces(self, server: Server) -> None:
        """Plug what is pending, unplug what is leaving."""
        for interface in server.interfaces:
            if interface.state == "leaving":
                await self._backend.unplug_port(server.id, interface.port_id)
                self._settle(server.id, interface, keep=False)
            elif interface.state == "pending":
                port = PORTS.get(self._db, id=interface.port_id)
                if port is not None:
                    await self._ensure_network(port.network_id)
                    await self._backend.plug_port(server.id, self._fabric_port(port))
                self._settle(server.id, interface, keep=port is not None)

    def _settle(self, server_id: str, done: Interface, *, keep: bool) -> None:
        with self._db.transaction():
            server = SERVERS.get(self._db, id=server_id)
            if server is None or server.deleted:
                return
            others = [one for one in server.interfaces if one.port_id != done.port_id]
            if keep:
                others.append(_plugged(done))
                port = PORTS.get(self._db, id=done.port_id)
                if port is not None:
                    set_status(self._db, port, "ACTIVE")
            else:
                give_back(self._db, done)
            SERVERS.update(self._db, server, interfaces=others)

    def powered(self, server_id: str, state: PowerState) -> None:
        """A server went down by itself: Nova's power sync calls that stopped."""
        with self._db.transaction():
            server = SERVERS.get(self._db, id=server_id, deleted=False)
            if server is None or server.task_state is not None or server.vm_state != "active":
                return
            if state is PowerState.SHUTDOWN:
                SERVERS.update(
                    self._db,
                    server,
                    vm_state="stopped",
                    power_state=int(state),
                    updated_at=seconds(),
                )
                self._port_status(server, "DOWN")

    def forget_deleted(self) -> None:
        """Deleted servers are kept for `changes-since`, but not for ever."""
        horizon = seconds(now() - _REMEMBER_DELETED)
        with self._db.transaction():
            for server in SERVERS.find(self._db, deleted=True):
                if (server.terminated_at or "") < horizon:
                    SERVERS.delete(self._db, id=server.id)

    async def adopt(self) -> None:
        """At the start: the back end's servers and the records are brought together."""
        found = await self._backend.list()
        known = {server.id: server for server in SERVERS.find(self._db, deleted=False)}
        for server_id in set(found) - set(known):
            await self._backend.delete(server_id)
        for server in known.values():
            if server.task_state is not None or server.vm_state != "active":
                continue
            if server.id not in found:  # its record says that it runs, and nothing of it exists
                with self._db.transaction():
                    SERVERS.update(self._db, server, task_state="spawning")
            else:
                self.powered(server.id, found[server.id])

    def spec(self, server: Server) -> ServerSpec:
        volume = volume_of(self._db, server.id)
        keys = {server.key_name: server.public_key} if server.key_name and server.public_key else {}
        return ServerSpec(
            id=server.id,
            name=server.name,
            hostname=server.hostname,
            image=server.image_id,
            volume_gib=volume.size if volume is not None else None,
            flavor=Flavor(
                name=server.flavor.name,
                vcpus=server.flavor.vcpus,
                ram_mb=server.flavor.ram,
                hollow=server.flavor.extra_specs.get(HOLLOW_TRAIT) == "required",
            ),
            zone=server.zone,
            project_id=server.project_id,
            ports=tuple(self._fabric_port(port) for port in self._ports(server)),
            user_data=base64.b64decode(server.user_data) if server.user_data else b"",
            metadata=server.metadata,
            public_keys=keys,
            dns_servers=self._settings.name_servers,
        )

    def _ports(self, server: Server) -> list[NeutronPort]:
        ports = [PORTS.get(self._db, id=one.port_id) for one in server.interfaces]
        return [port for port in ports if port is not None]

    def _fabric_port(self, port: NeutronPort) -> Port:
        fixed = port.fixed_ips[0]
        subnet = SUBNETS.get(self._db, id=fixed["subnet_id"])
        if subnet is None:
            raise ServerError(f"subnet {fixed['subnet_id']} of port {port.id} does not exist")
        return Port(
            id=port.id,
            network_id=port.network_id,
            mac=port.mac_address,
            address=fixed["ip_address"],
            prefix=ipaddress.ip_network(subnet.cidr).prefixlen,
            gateway=subnet.gateway_ip,
        )


def _plugged(interface: Interface) -> Interface:
    return msgspec.structs.replace(interface, state="plugged")


def _verb(server: Server) -> str:
    return {"spawning": "create", "deleting": "delete"}.get(server.task_state or "", "power")
