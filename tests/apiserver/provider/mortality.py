"""A provider that dies: after a given number of changes to the cloud, without seeing the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.apiserver.provider.region import OPTIONS
from tests.support.mortality import Life

import vks.verda.accounts
from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.provider.options import Options
from vks.provider.setup import setup
from vks.runtime.manager import Manager
from vks.verda.cloud import Cloud

_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def mortal_cloud(life: Life) -> type[Cloud]:
    """A Cloud whose calls are acts of that life."""

    class MortalCloud(Cloud):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            request = self._transport.request

            async def mortal(service: Any, method: str, path: str, **fields: Any) -> Any:
                return await life.perform(
                    lambda: request(service, method, path, **fields), lambda _: method in _CHANGES
                )

            self._transport.request = mortal  # type: ignore[method-assign]

    return MortalCloud


async def live_until(
    done: Callable[[], Awaitable[bool]],
    config: ClientConfig,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    limit: int,
    patience: float = 50.0,
) -> int:
    """Start providers, each of which dies after `limit` changes, until `done`; how many died."""
    deadline = asyncio.get_running_loop().time() + patience
    deaths = 0
    while not await done():
        assert asyncio.get_running_loop().time() < deadline, f"not done after {deaths} deaths"
        deaths += await _one_life(done, config, namespace, monkeypatch, limit)
    return deaths


async def _one_life(
    done: Callable[[], Awaitable[bool]],
    config: ClientConfig,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
) -> bool:
    life = Life(limit)
    monkeypatch.setattr(vks.verda.accounts, "Cloud", mortal_cloud(life))
    async with Client(config, user_agent="mortal-provider") as client:
        manager = Manager(client, name="vks-provider", grace_period=0.0)
        setup(manager, client, Options(**{**vars(OPTIONS), "namespace": namespace}))
        task = asyncio.create_task(manager.run(asyncio.Event()))
        for _ in range(100):
            if life.over.is_set() or await done():
                break
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return life.over.is_set()
