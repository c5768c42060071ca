"""Keeps one master-worker HAProxy per load balancer in the fabric.

They outlive this process. What runs is found by the command lines of processes and by asking
HAProxy itself, so a successor adopts them and never starts a second one.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from vks.local import processes
from vks.local.fabric import Fabric, FabricError
from vks.local.fabric.command import CommandError, in_netns, run
from vks.local.fabric.names import checked_id
from vks.local.instance import Instance
from vks.local.loadbalancer import runtime
from vks.local.loadbalancer.render import generation, render
from vks.local.loadbalancer.types import (
    AdminState,
    LoadBalancer,
    LoadBalancerError,
    OperatingStatus,
)

_RELOAD_SECONDS = 10.0
_TERM_SECONDS = 2.0


class DataPlane:
    """Idempotent and level-based, like the rest of the local region; errors: LoadBalancerError."""

    def __init__(self, instance: Instance, fabric: Fabric) -> None:
        self._netns = instance.fabric_netns_path
        self._fabric = fabric
        self._directory = instance.run / "lb"
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._failed: asyncio.Queue[str] = asyncio.Queue()
        self._watch = processes.ExitWatch(self._failed.put_nowait)

    async def open(self) -> None:
        """Watches the HAProxies that run."""
        for lb_id in await self.list():
            self._watch_master(lb_id)

    async def close(self) -> None:
        """Stops watching; HAProxy goes on."""
        self._watch.close()

    async def ensure(self, lb: LoadBalancer) -> None:
        """Brings VIP, HAProxy and members to `lb`; new connections see it on return.

        Without a listener there is nothing to run, and only the VIP exists.
        """
        async with self._working_on(lb.id):
            await self._fabric.ensure_vip(lb.vip)
            self._write(lb)
            if not lb.listeners:
                await self._end(lb.id)
                return
            found = await runtime.running_generation(self._socket(lb.id))
            if found is None:
                await self._end(lb.id)
                await self._start(lb)
            elif found != generation(lb):
                await self._reload(lb)
            await self._set_members(lb)
            await self._close_in_old_workers(lb)
            self._watch_master(lb.id)

    async def remove(self, lb_id: str) -> None:
        """Ends HAProxy, connections included, and gives the VIP up."""
        async with self._working_on(lb_id):
            await self._end(lb_id)
            directory = self._directory / lb_id
            record = directory / "lb.json"
            if record.exists():
                known = msgspec.json.decode(record.read_bytes(), type=LoadBalancer)
                await self._fabric.remove_vip(known.vip)
            await asyncio.to_thread(_remove_tree, directory)

    async def status(self, lb_id: str) -> dict[str, OperatingStatus]:
        """The state of every member by its id; empty when HAProxy does not run."""
        answer = await runtime.ask(self._socket(lb_id), "show stat -1 4 -1")
        return runtime.member_states(answer) if answer else {}

    async def list(self) -> set[str]:
        """The load balancers of which anything exists."""
        return _subdirectories(self._directory)

    async def failures(self) -> AsyncIterator[str]:
        """Load balancers whose HAProxy ended by itself, as it happens; never ends."""
        while True:
            yield await self._failed.get()

    @asynccontextmanager
    async def _working_on(self, lb_id: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(checked_id(lb_id), asyncio.Lock())
        async with lock:
            try:
                yield
            except (CommandError, FabricError, OSError) as error:
                raise LoadBalancerError(f"load balancer {lb_id}: {error}") from error

    async def _start(self, lb: LoadBalancer) -> None:
        config = self._config(lb.id)
        pid_file = config.with_name("pid")
        master = ("-S", str(self._master_socket(lb.id)))
        argv = ("haproxy", "-W", *master, "-D", "-q", "-p", str(pid_file), "-f", str(config))
        await run(*in_netns(self._netns, *argv))
        await self._running(lb)

    async def _reload(self, lb: LoadBalancer) -> None:
        """A new worker takes the listening sockets over; the old one ends with its connections."""
        # with a bad configuration the master would stay without any new worker: check first
        await run("haproxy", "-c", "-q", "-f", str(self._config(lb.id)))
        processes.kill(self._masters(lb.id), signal.SIGUSR2)
        await self._running(lb)

    async def _running(self, lb: LoadBalancer) -> None:
        """Waits for the worker with that configuration, and for its master, which is deaf to the
        next reload until it answers; HAProxy tells nobody when they are ready."""
        worker, master = self._socket(lb.id), self._master_socket(lb.id)
        wanted = generation(lb)
        try:
            async with asyncio.timeout(_RELOAD_SECONDS):
                while (  # noqa: ASYNC110
                    await runtime.running_generation(worker) != wanted
                    or await runtime.ask(master, "show proc") is None
                ):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise LoadBalancerError(f"load balancer {lb.id}: HAProxy did not come up") from None

    async def _set_members(self, lb: LoadBalancer) -> None:
        commands = runtime.member_commands(lb)
        if commands:
            answer = await runtime.ask(self._socket(lb.id), *commands)
            if answer is None or answer.strip():
                raise LoadBalancerError(f"load balancer {lb.id}: members: {answer}")

    async def _close_in_old_workers(self, lb: LoadBalancer) -> None:
        """Connections outlive a reload in the worker that has them; the end of a member must
        reach it there. One that is over before it is asked is no error."""
        if not any(m.admin_state is AdminState.DISABLED for p in lb.pools for m in p.members):
            return
        master = self._master_socket(lb.id)
        for worker in runtime.old_workers(await runtime.ask(master, "show proc") or ""):
            sessions = await runtime.ask(master, f"@!{worker} show sess") or ""
            for session in runtime.sessions_of_disabled(lb, sessions):
                await runtime.ask(master, f"@!{worker} shutdown session {session}")

    async def _end(self, lb_id: str) -> None:
        """Ends every HAProxy of that load balancer: master, workers, old workers, starting ones."""
        self._watch.forget(lb_id)
        processes.kill(self._masters(lb_id), signal.SIGTERM)
        if not await processes.wait_gone(self._all(lb_id), _TERM_SECONDS):
            processes.kill(self._all(lb_id))
            await processes.wait_gone(self._all(lb_id), _TERM_SECONDS)

    def _watch_master(self, lb_id: str) -> None:
        masters = self._masters(lb_id)
        if masters:
            self._watch.watch(lb_id, masters[0])

    def _all(self, lb_id: str) -> Sequence[int]:
        return processes.with_argument(str(self._config(lb_id)))

    def _masters(self, lb_id: str) -> Sequence[int]:
        """Those that are nobody's worker."""
        found = self._all(lb_id)
        workers = {child for pid in found for child in processes.children(pid)}
        return [pid for pid in found if pid not in workers]

    def _config(self, lb_id: str) -> Path:
        return self._directory / lb_id / "haproxy.cfg"

    def _socket(self, lb_id: str) -> Path:
        return self._directory / lb_id / "s"  # socket paths have at most 107 bytes

    def _master_socket(self, lb_id: str) -> Path:
        return self._directory / lb_id / "m"

    def _write(self, lb: LoadBalancer) -> None:
        directory = self._directory / lb.id
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in (
            ("lb.json", msgspec.json.encode(lb)),  # first: it names the VIP to give up
            ("haproxy.cfg", render(lb, self._socket(lb.id)).encode()),
        ):
            partial = directory / f"{name}.tmp"
            partial.write_bytes(content)
            partial.replace(directory / name)


def _subdirectories(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.is_dir() else set()


def _remove_tree(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
