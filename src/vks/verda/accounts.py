"""The clouds behind the clusters: credentials from Secrets, one connection per credential."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import msgspec
import structlog

from vks.kube.client import Client
from vks.kube.errors import NotFound as ObjectNotFound
from vks.kube.objects import Key, ObjectMeta
from vks.resources.core import Secret
from vks.resources.fields import LocalReference
from vks.runtime.clock import Clock
from vks.runtime.result import Waiting
from vks.verda.catalogue import Catalogue
from vks.verda.cloud import Cloud
from vks.verda.credentials import CloudConfig, InvalidCredentialsError
from vks.verda.poller import ServerPoller
from vks.verda.transport import thread_pool

SECRET_KEY = "clouds.yaml"  # noqa: S105 (the key's name)
#: Seconds after which a Secret is read again: how long a rotated credential takes to arrive.
TRUSTED = 60.0
#: Seconds for which nobody waits for that: what was read before is used meanwhile.
USABLE = 2 * TRUSTED

log = structlog.get_logger(__name__)


class _Spec(Protocol):
    @property
    def identity_ref(self) -> LocalReference: ...


class Holder(Protocol):
    """An object whose spec names the Secret with its credential: `identityRef`."""

    @property
    def metadata(self) -> ObjectMeta: ...
    @property
    def spec(self) -> _Spec: ...


class Account(NamedTuple):
    """One project, as one credential sees it."""

    cloud: Cloud
    poller: ServerPoller
    catalogue: Catalogue


class _Known(NamedTuple):
    fingerprint: bytes
    read_at: float


class Accounts:
    """Opens the account that a cluster's identityRef names. Accounts are shared by clusters with
    the same credential. `notify` gets the keys of machines whose servers changed."""

    def __init__(self, client: Client, notify: Callable[[Key], None], clock: Clock) -> None:
        self._client = client
        self._notify = notify
        self._clock = clock
        self._known: dict[Key, _Known] = {}
        self._reads: dict[Key, asyncio.Task[None]] = {}
        self._accounts: dict[bytes, Account] = {}
        self._pollers: dict[bytes, asyncio.Task[None]] = {}
        self._threads: ThreadPoolExecutor = thread_pool()
        self._closed = False

    async def of(self, cluster: Holder) -> Account:
        """The account of a cluster. Raises Waiting when the credential is missing or unusable."""
        if self._closed:
            raise _ending()
        key = Key(cluster.metadata.namespace, cluster.spec.identity_ref.name)
        known = self._known.get(key)
        age = math.inf if known is None else self._clock.monotonic() - known.read_at
        if age > TRUSTED:
            read = self._read(key)
            if age > USABLE:
                await asyncio.shield(read)
        return self._accounts[self._known[key].fingerprint]

    async def run(self) -> None:
        """Keep the pollers' tasks until cancelled, then close everything."""
        try:
            await asyncio.Event().wait()
        finally:
            self._closed = True
            for fingerprint in list(self._accounts):
                await self._close(fingerprint)
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _read(self, key: Key) -> asyncio.Task[None]:
        """Reads the Secret, once for all who want to know."""
        read = self._reads.get(key)
        if read is None:
            read = self._reads[key] = asyncio.create_task(self._renew(key), name="identity")
            read.add_done_callback(lambda done: self._was_read(key, done))
        return read

    def _was_read(self, key: Key, read: asyncio.Task[None]) -> None:
        del self._reads[key]
        error = None if read.cancelled() else read.exception()
        if error is not None:  # whoever waits is told as well; others have some time left
            log.info("credential cannot be read", secret=str(key), error=str(error))

    async def _renew(self, key: Key) -> None:
        config = await self._config(key)
        if self._closed:
            raise _ending()
        fingerprint = hashlib.sha256(msgspec.json.encode(config, order="sorted")).digest()
        if fingerprint not in self._accounts:
            self._accounts[fingerprint] = self._open(fingerprint, config)
        self._known[key] = _Known(fingerprint, self._clock.monotonic())
        await self._close_unused()

    async def _config(self, key: Key) -> CloudConfig:
        try:
            secret = await self._client.get(Secret, key.name, key.namespace)
        except ObjectNotFound:
            raise Waiting(
                "IdentityNotFound", f"the Secret {key.name} does not exist", poll=5.0
            ) from None
        encoded = secret.data.get(SECRET_KEY, "")
        try:
            return CloudConfig.from_yaml(base64.b64decode(encoded, validate=True))
        except (InvalidCredentialsError, binascii.Error) as error:
            raise Waiting("IdentityInvalid", f"Secret {key.name}: {error}", poll=30.0) from None

    def _open(self, fingerprint: bytes, config: CloudConfig) -> Account:
        cloud = Cloud(config, pool=self._threads)
        poller = ServerPoller(cloud.compute, self._notify, self._clock)
        self._pollers[fingerprint] = asyncio.create_task(poller.run(), name="server-poller")
        log.info("cloud account opened", auth_url=config.auth_url, region=config.region_name)
        return Account(cloud, poller, Catalogue(cloud, self._clock))

    async def _close_unused(self) -> None:
        used = {known.fingerprint for known in self._known.values()}
        for fingerprint in set(self._accounts) - used:
            if fingerprint not in self._accounts:  # closed meanwhile
                continue
            followers = self._accounts[fingerprint].poller.followers()
            await self._close(fingerprint)
            for key in followers:  # they follow their servers with the new credential
                self._notify(key)

    async def _close(self, fingerprint: bytes) -> None:
        account = self._accounts.pop(fingerprint)
        poller = self._pollers.pop(fingerprint)
        poller.cancel()
        await asyncio.gather(poller, return_exceptions=True)
        await account.cloud.close()


def _ending() -> Waiting:
    return Waiting("ShuttingDown", "the process is ending", poll=1.0)
