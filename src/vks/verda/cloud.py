"""`Cloud`: one project of a Verda cloud, seen with one credential."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from keystoneauth1.identity.base import BaseIdentityPlugin

from vks.verda.compute import Compute
from vks.verda.credentials import CloudConfig
from vks.verda.identity import IdentityClient, TokenInfo, token_info, validate_token
from vks.verda.image import ImageClient
from vks.verda.loadbalancer import LoadBalancerClient
from vks.verda.network import NetworkClient
from vks.verda.once import Flights
from vks.verda.transport import Transport, thread_pool


class Cloud:
    """The services of the cloud. Use as a context manager, or await `close()`.

    `pool` are the threads that calls run in; without one the cloud starts its own.
    """

    def __init__(
        self,
        config: CloudConfig,
        *,
        pool: ThreadPoolExecutor | None = None,
        plugin: BaseIdentityPlugin | None = None,
    ) -> None:
        self.config = config
        threads = pool or thread_pool()
        self._own_pool = None if pool else threads
        self._transport = Transport(plugin or config.plugin(), config, threads)
        self._flights = Flights()
        self.identity = IdentityClient(self._transport)
        self.compute = Compute(self._transport, self._flights)
        self.network = NetworkClient(self._transport, self._flights)
        self.image = ImageClient(self._transport)
        self.loadbalancer = LoadBalancerClient(self._transport, self._flights)

    @classmethod
    async def from_token(
        cls,
        auth_url: str,
        token: str,
        pool: ThreadPoolExecutor,
        *,
        region_name: str | None = None,
        verify: bool | str = True,
    ) -> tuple[Self, TokenInfo]:
        """Act with a caller's own token; Keystone vouches for it first. Raises Unauthorized."""
        plugin = await validate_token(auth_url, token, pool, verify=verify)
        config = CloudConfig(
            auth={"auth_url": auth_url},
            auth_type="token",
            region_name=region_name,
            verify=bool(verify),
            cacert=verify if isinstance(verify, str) else None,
        )
        return cls(config, pool=pool, plugin=plugin), token_info(plugin.auth_ref)

    async def settle(self, owner: str) -> None:
        """Wait for creations for the owner that are under way although their caller gave up:
        whoever deletes all that the owner has must not miss them."""
        await self._flights.settle(lambda key: key[1] == owner)

    async def close(self) -> None:
        await self._flights.close()
        self._transport.close()
        if self._own_pool is not None:
            self._own_pool.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
