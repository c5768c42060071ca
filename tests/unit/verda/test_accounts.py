"""When a credential's Secret is read, and who waits for that. Time is virtual."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import virtual

from vks.kube.errors import NotFound, Unavailable
from vks.resources.core import Secret
from vks.runtime.clock import SystemClock
from vks.runtime.result import Waiting
from vks.verda.accounts import TRUSTED, USABLE, Accounts

CLUSTER: Any = SimpleNamespace(
    metadata=SimpleNamespace(namespace="p-test"),
    spec=SimpleNamespace(identity_ref=SimpleNamespace(name="cloud")),
)
#: Seconds that a read of the Secret takes.
READ = 2.0


class Management:
    """Holds the Secret; `error` is what a read ends with instead."""

    def __init__(self) -> None:
        self.password = "first"
        self.error: Exception | None = None
        self.reads = 0

    async def get(self, _: type[Secret], name: str, namespace: str) -> Secret:
        assert (namespace, name) == ("p-test", "cloud")
        self.reads += 1
        await asyncio.sleep(READ)
        if self.error is not None:
            raise self.error
        auth = {
            "auth_url": "http://127.0.0.1:1/identity/v3",
            "username": "u",
            "password": self.password,
            "project_name": "p",
            "user_domain_name": "d",
            "project_domain_name": "d",
        }
        cloud = {"clouds": {"verda": {"auth": auth, "region_name": "tokyo"}}}
        return Secret(data={"clouds.yaml": base64.b64encode(json.dumps(cloud).encode()).decode()})


@contextlib.asynccontextmanager
async def opened(management: Management) -> AsyncIterator[Accounts]:
    client: Any = management
    accounts = Accounts(client, lambda _: None, SystemClock())
    running = asyncio.create_task(accounts.run())
    await asyncio.sleep(0)
    try:
        yield accounts
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def waited(accounts: Accounts) -> float:
    """How long somebody waits for the account."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await accounts.of(CLUSTER)
    return loop.time() - began


def test_those_who_come_first_wait_for_one_read() -> None:
    management = Management()

    async def main() -> list[float]:
        async with opened(management) as accounts:
            return await asyncio.gather(*(waited(accounts) for _ in range(20)))

    assert virtual.run(main()) == [READ] * 20
    assert management.reads == 1


def test_nobody_waits_for_a_secret_to_be_read_again() -> None:
    management = Management()

    async def main() -> None:
        async with opened(management) as accounts:
            before = await accounts.of(CLUSTER)
            management.password = "second"
            await asyncio.sleep(TRUSTED + 1)
            assert await waited(accounts) == 0.0
            assert await accounts.of(CLUSTER) is before
            await asyncio.sleep(READ + 1)
            assert await waited(accounts) == 0.0
            assert await accounts.of(CLUSTER) is not before

    virtual.run(main())
    assert management.reads == 2


def test_what_nobody_has_asked_for_in_a_while_is_read_first() -> None:
    management = Management()

    async def main() -> None:
        async with opened(management) as accounts:
            await accounts.of(CLUSTER)
            await asyncio.sleep(USABLE + 1)
            assert await waited(accounts) == READ

    virtual.run(main())


def test_a_read_that_fails_is_told_when_the_time_is_over() -> None:
    management = Management()

    async def main() -> None:
        async with opened(management) as accounts:
            await accounts.of(CLUSTER)
            management.error = Unavailable("no answer")
            await asyncio.sleep(TRUSTED + 1)
            assert await waited(accounts) == 0.0
            await asyncio.sleep(TRUSTED)
            with pytest.raises(Unavailable):
                await accounts.of(CLUSTER)
            management.error = NotFound("no such Secret")
            with pytest.raises(Waiting):
                await accounts.of(CLUSTER)

    virtual.run(main())


def test_no_account_is_opened_by_a_process_that_ends() -> None:
    management = Management()

    async def main() -> None:
        async with opened(management) as accounts:
            asking = asyncio.create_task(accounts.of(CLUSTER))
            await asyncio.sleep(READ / 2)
        with pytest.raises(Waiting, match="ending"):
            await asking
        with pytest.raises(Waiting, match="ending"):
            await accounts.of(CLUSTER)

    virtual.run(main())
