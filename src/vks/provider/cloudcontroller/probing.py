"""API servers that are coming up: when they are asked whether they answer, and what that takes.

Nobody tells when an API server answers, and the first answer starts everything else. So it is asked
often as soon as a server runs that may be it, which is told, and seldom before. What an attempt
needs is kept from one to the next: read credentials, the set-up of TLS.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from vks.kube.client import Client
from vks.kube.errors import ApiError
from vks.kube.errors import NotFound as ObjectNotFound
from vks.kube.objects import Key
from vks.resources.core import Secret
from vks.runtime.clock import Clock

#: Seconds between attempts to reach an API server whose server runs: a refused connection through
#: the load balancer is cheap. Later, attempts lie a fiftieth of the time apart that was waited.
PROBE = 0.5
_SHARE = 0.02
#: The same where no server is known to run; it doubles.
PROBE_UNSERVED = 1.0
#: The longest pause.
PROBE_PATIENT = 10.0
_TIMEOUT = 3.0
#: For how many seconds of probing the credentials that were read are used.
_TRUSTED = 10.0


def pause(waited: float, *, served: bool) -> float:
    """Seconds until an API server is asked again that has been waited for so long already."""
    wanted = max(PROBE, waited * _SHARE) if served else max(PROBE_UNSERVED, waited)
    return min(wanted, PROBE_PATIENT)


async def read_kubeconfig(client: Client, cluster: Key) -> bytes | None:
    """The cluster's, as the control plane provider keeps it; None when there is none. Raises
    ApiError."""
    try:
        secret = await client.get(Secret, f"{cluster.name}-kubeconfig", cluster.namespace)
        return base64.b64decode(secret.data["value"], validate=True)
    except (ObjectNotFound, KeyError, binascii.Error):
        return None


@dataclass
class _Prospect:
    """A cluster whose API server has not answered yet. Moments are monotonic."""

    since: float
    served: bool
    read_at: float = 0.0
    kubeconfig: bytes | None = None
    client: Client | None = None


class Probes:
    """`connect` makes the client of a cluster from its kubeconfig, and raises KubeconfigError."""

    def __init__(self, client: Client, connect: Callable[[bytes], Client], clock: Clock) -> None:
        self._client = client
        self._connect = connect
        self._clock = clock
        self._prospects: dict[Key, _Prospect] = {}

    async def attempt(self, cluster: Key, *, served: bool) -> tuple[bytes, Client] | None:
        """The kubeconfig and the client of an API server that answers, which are the caller's from
        now on; None while it does not. Raises ApiError of the management cluster, KubeconfigError.

        `served`: a server runs that may be the API server's.
        """
        now = self._clock.monotonic()
        prospect = self._prospects.setdefault(cluster, _Prospect(now, served))
        if prospect.served != served:
            prospect.since, prospect.served = now, served
        if prospect.kubeconfig is None or now - prospect.read_at > _TRUSTED:
            await self._read(cluster, prospect, now)
        kubeconfig, client = prospect.kubeconfig, prospect.client
        if kubeconfig is None or client is None or not await _answers(client):
            return None
        del self._prospects[cluster]
        return kubeconfig, client

    def pause(self, cluster: Key) -> float:
        """Seconds until the next attempt."""
        prospect = self._prospects[cluster]
        return pause(self._clock.monotonic() - prospect.since, served=prospect.served)

    async def forget(self, cluster: Key) -> None:
        """Ends the attempts."""
        prospect = self._prospects.pop(cluster, None)
        if prospect is not None and prospect.client is not None:
            await prospect.client.close()

    async def _read(self, cluster: Key, prospect: _Prospect, now: float) -> None:
        kubeconfig = await read_kubeconfig(self._client, cluster)
        prospect.read_at = now
        if kubeconfig == prospect.kubeconfig:
            return
        if prospect.client is not None:
            await prospect.client.close()
        prospect.kubeconfig, prospect.client = None, None
        if kubeconfig is not None:
            prospect.client = self._connect(kubeconfig)
            prospect.kubeconfig = kubeconfig


async def _answers(client: Client) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT):
            await client.raw("GET", "/readyz/ping")
    except (ApiError, TimeoutError):
        return False
    return True
