"""What every program of controllers does beside its controllers: access, manager, signals."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.runtime.lease import LeaderElection
from vks.runtime.manager import Manager, run_until_signalled


def run_until_complete(program: Coroutine[Any, Any, None]) -> None:
    """Runs a program of controllers. What they do is mostly TLS, sockets and timers, which
    uvloop does with less CPU than asyncio's own loop."""
    uvloop.run(program)


def management_cluster(kubeconfig: str | None) -> ClientConfig:
    """None: the Pod's service account. Raises KubeconfigError, OSError."""
    if kubeconfig:
        return ClientConfig.from_kubeconfig(kubeconfig)
    return ClientConfig.in_cluster()


async def run(
    name: str,
    config: ClientConfig,
    setup: Callable[[Manager], object],
    *,
    http: tuple[str, int | None],
    election_namespace: str | None,
) -> None:
    """Runs what `setup` adds until a signal. `http` is the host and port of /healthz, /readyz and
    /metrics. With `election_namespace` only one replica works at a time, by a Lease of that `name`
    there. Raises what `Manager.run` raises."""
    host, port = http
    election = LeaderElection(election_namespace, name) if election_namespace else None
    async with Client(config, user_agent=name) as client:
        manager = Manager(
            client, name=name, http_host=host, http_port=port, leader_election=election
        )
        setup(manager)
        await run_until_signalled(manager)
