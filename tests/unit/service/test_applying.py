from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from tests.support import virtual
from tests.support.fakeapi import Thing

from vks.kube.client import Client
from vks.kube.objects import ObjectMeta
from vks.runtime.clock import SystemClock
from vks.runtime.store import Store
from vks.service.applying import TRUSTED, ManifestApplier
from vks.service.provisioners.capi.manifest import Manifest


class Applied:
    """Counts what is applied; the object's generation counts with it."""

    def __init__(self) -> None:
        self.writes = 0

    async def apply(self, model: Any, body: Mapping[str, Any], *, field_manager: str) -> Thing:
        self.writes += 1
        return self.stored(self.writes)

    def stored(self, generation: int) -> Thing:
        meta = ObjectMeta(name="a", namespace="n", uid="u", generation=generation)
        return Thing(metadata=meta)


def manifest(value: int = 1) -> Manifest:
    return Manifest(Thing, {"metadata": {"name": "a", "namespace": "n"}, "value": value})


def applier(server: Applied) -> ManifestApplier:
    return ManifestApplier(cast(Client, server), "test", SystemClock())


def test_what_is_there_is_not_written_again_until_it_changes() -> None:
    async def main() -> None:
        server, store = Applied(), Store[Thing]()
        manifests = applier(server)
        for _ in range(3):
            store.put(server.stored(await manifests.apply(manifest(), store)))
        assert server.writes == 1
        await asyncio.sleep(TRUSTED * 2)
        await manifests.apply(manifest(), store)
        assert server.writes == 1  # the cache shows it: age says nothing
        store.put(server.stored(7))
        await manifests.apply(manifest(), store)
        assert server.writes == 2
        await manifests.apply(manifest(2), store)
        assert server.writes == 3

    virtual.run(main())


def test_what_no_cache_shows_is_written_again_after_a_while() -> None:
    async def main() -> None:
        server = Applied()
        manifests = applier(server)
        for _ in range(3):
            await manifests.apply(manifest())
        assert server.writes == 1
        await asyncio.sleep(TRUSTED)
        await manifests.apply(manifest())
        await manifests.apply(manifest())
        assert server.writes == 2

    virtual.run(main())


def test_what_the_cache_no_longer_shows_is_written_again() -> None:
    async def main() -> None:
        server, store = Applied(), Store[Thing]()
        manifests = applier(server)
        store.put(server.stored(await manifests.apply(manifest(), store)))
        store.remove(manifest().key)
        await manifests.apply(manifest(), store)
        assert server.writes == 2

    virtual.run(main())
