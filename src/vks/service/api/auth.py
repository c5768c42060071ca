"""Who calls: Keystone tokens, validated by Keystone, believed for a short time."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from vks.service.api.problems import Problem, of_cloud
from vks.service.config import Config
from vks.verda.cloud import Cloud
from vks.verda.compute import Flavor, Keypair, Limits
from vks.verda.errors import CloudError, Unauthorized
from vks.verda.image import Image
from vks.verda.network import Network, Port, Subnet, Usage

#: Seconds for which a validated token is believed: a revoked one works no longer than that.
TRUSTED = 30.0
_MAX_CACHED = 2000
_MAX_TOKEN = 4096


class CallerCloud(Protocol):
    """What the API asks of a region's cloud, with the caller's own token."""

    async def flavors(self) -> list[Flavor]: ...
    async def images(self) -> list[Image]: ...
    async def networks(self) -> list[Network]: ...
    async def subnets(self, network_id: str) -> list[Subnet]: ...
    async def ports(self, network_id: str) -> list[Port]: ...
    async def keypairs(self) -> list[Keypair]: ...
    async def limits(self) -> Limits: ...
    async def network_quota(self) -> dict[str, Usage]:
        """Neutron's quotas by its own names."""
        ...

    async def pool_ranges(self) -> list[str]:
        """The ranges that networks without one of their own get theirs from."""
        ...

    async def load_balancers(self) -> dict[str, int]:
        """LBaaS's quota: `loadbalancers` and `used_loadbalancers`; -1 is unlimited."""
        ...


class VerdaCallerCloud:
    """CallerCloud on the client of the cloud.

    To an administrator the cloud lists what belongs to all projects; what is foreign to the
    token's project is left out here.
    """

    def __init__(self, cloud: Cloud, project_id: str) -> None:
        self._cloud = cloud
        self._project_id = project_id

    async def flavors(self) -> list[Flavor]:
        return await self._cloud.compute.flavors()

    async def images(self) -> list[Image]:
        images = await self._cloud.image.images()
        return [i for i in images if i.visibility != "private" or i.owner == self._project_id]

    async def networks(self) -> list[Network]:
        networks = await self._cloud.network.networks()
        return [n for n in networks if n.shared or n.project_id == self._project_id]

    async def subnets(self, network_id: str) -> list[Subnet]:
        return await self._cloud.network.subnets(network_id)

    async def ports(self, network_id: str) -> list[Port]:
        return await self._cloud.network.ports(network_id=network_id)

    async def keypairs(self) -> list[Keypair]:
        return await self._cloud.compute.keypairs()

    async def limits(self) -> Limits:
        return await self._cloud.compute.limits()

    async def network_quota(self) -> dict[str, Usage]:
        return await self._cloud.network.quota(self._project_id)

    async def pool_ranges(self) -> list[str]:
        pool = await self._cloud.network.default_pool()
        return [*pool.prefixes] if pool is not None else []

    async def load_balancers(self) -> dict[str, int]:
        return await self._cloud.loadbalancer.quota()


@dataclass(frozen=True)
class Caller:
    """A user acting in one project, with the regions whose Keystone vouches for the token."""

    user_id: str
    user_name: str
    project_id: str
    project_name: str
    roles: frozenset[str]
    clouds: dict[str, CallerCloud]

    @property
    def may_write(self) -> bool:
        return bool(self.roles & {"member", "admin"})

    @property
    def may_read(self) -> bool:
        return self.may_write or "reader" in self.roles


class Identity(Protocol):
    async def authenticate(self, token: str) -> Caller:
        """Raises Problem."""
        ...


class KeystoneIdentity:
    """Asks the Keystone of each region in turn, and remembers its word for a short time."""

    def __init__(self, config: Config, pool: ThreadPoolExecutor) -> None:
        self._config = config
        self._pool = pool
        self._known: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def authenticate(self, token: str) -> Caller:
        if len(token) > _MAX_TOKEN:
            raise Problem("unauthenticated", "the token is not valid")
        key = hashlib.sha256(token.encode()).digest()
        known = self._known.get(key)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        caller, seconds = await self._ask(token)
        self._known[key] = (time.monotonic() + min(TRUSTED, seconds), caller)
        self._known.move_to_end(key)
        while len(self._known) > _MAX_CACHED:
            self._known.popitem(last=False)
        return caller

    async def _ask(self, token: str) -> tuple[Caller, float]:
        for url in dict.fromkeys(region.identity_url for region in self._config.regions):
            try:
                return await self._vouched_for(url, token)
            except Unauthorized:
                continue
            except CloudError as error:
                raise of_cloud(error) from error
        raise Problem("unauthenticated", "the token is not valid")

    async def _vouched_for(self, url: str, token: str) -> tuple[Caller, float]:
        """The caller, and for how many seconds the token is good. Raises CloudError."""
        regions = [region.name for region in self._config.regions if region.identity_url == url]
        cloud, info = await Cloud.from_token(url, token, self._pool, region_name=regions[0])
        if info.project_id is None or info.project_name is None:
            raise Problem("unauthenticated", "the token is not scoped to a project")
        clouds: dict[str, CallerCloud] = {regions[0]: VerdaCallerCloud(cloud, info.project_id)}
        for name in regions[1:]:
            cloud, _ = await Cloud.from_token(url, token, self._pool, region_name=name)
            clouds[name] = VerdaCallerCloud(cloud, info.project_id)
        caller = Caller(
            user_id=info.user_id,
            user_name=info.user_name,
            project_id=info.project_id,
            project_name=info.project_name,
            roles=frozenset(info.roles),
            clouds=clouds,
        )
        expires = datetime.fromisoformat(info.expires_at)
        return caller, (expires - datetime.now(UTC)).total_seconds()
