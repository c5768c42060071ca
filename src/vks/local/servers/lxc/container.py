"""One LXC container: started, signalled, ended, told apart by what the kernel shows of it."""

from __future__ import annotations

import asyncio
import errno
import signal
from pathlib import Path

from vks.local import processes
from vks.local.fabric.command import CommandError, in_netns, run
from vks.local.servers.lxc.cgroups import Cgroups
from vks.local.servers.types import ServerError

#: systemd's request to halt, from outside of a container (see systemd(1), "Signals").
_HALT = signal.SIGRTMIN + 3
_LOG_TAIL = 2000


class LxcContainer:
    """The container `name` of the LXC path `lxcpath`.

    LXC's command socket is an abstract socket, so it belongs to the network namespace that
    `lxc-start` ran in: always the fabric's. It is what lets only one of two starters win.
    """

    def __init__(self, name: str, lxcpath: Path, fabric_netns: Path, cgroups: Cgroups) -> None:
        self.name = name
        self._lxcpath = lxcpath
        self._fabric_netns = fabric_netns
        self._cgroups = cgroups

    @property
    def _log(self) -> Path:
        return self._lxcpath / self.name / "lxc.log"

    def monitor(self) -> int | None:
        """The process that lives exactly as long as the container runs, reboots included."""
        pids = self._cgroups.monitor()
        return pids[0] if pids and self._cgroups.payload() else None

    async def start(self) -> None:
        """Starts it; returns when its init runs. Raises ServerError with the end of LXC's log."""
        log = self._log
        argv = ("lxc-start", "-P", str(self._lxcpath), "-n", self.name, "-d")
        try:
            await run(*in_netns(self._fabric_netns, *argv, "-l", "WARN", "-o", str(log)))
        except CommandError as error:
            if self.monitor() is None:
                tail = log.read_text(errors="replace")[-_LOG_TAIL:] if log.exists() else ""
                raise ServerError(f"server {self.name} did not start: {error}\n{tail}") from error

    async def halt(self, timeout: float) -> bool:
        """Asks the init to shut down and waits (seconds); whether it did."""
        monitor = self.monitor()
        if monitor is None:
            return True
        processes.kill(processes.children(monitor), _HALT)
        return await processes.wait_gone([monitor], timeout)

    async def destroy(self) -> None:
        """Ends every process of the container at once and removes its cgroups.

        The death of the init takes the whole process namespace with it; LXC's monitor then ends
        by itself, and is ended if it does not.
        """
        starting = processes.with_argument(str(self._log))  # a killed predecessor's lxc-start
        processes.kill(starting)
        await processes.wait_gone(starting, timeout=3.0)
        monitors = self._cgroups.monitor()
        payload = self._cgroups.payload()
        processes.kill(payload)
        if not await processes.wait_gone(monitors, timeout=3.0):
            processes.kill(monitors)
        if not await processes.wait_gone([*payload, *monitors], timeout=10.0):
            raise ServerError(f"server {self.name} has processes that do not end")
        await self._remove_cgroups()

    async def _remove_cgroups(self) -> None:
        """Removes them as soon as the kernel lets go of the processes that just ended."""
        for _ in range(100):
            try:
                self._cgroups.remove()
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                processes.kill(self._cgroups.payload())  # forked while the others were ended
                await asyncio.sleep(0.02)
            else:
                return
        raise ServerError(f"server {self.name} has cgroups that stay busy")
