"""Flavors and images by name: specs name them, Nova wants ids."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, Protocol, TypeVar

from vks.runtime.clock import Clock
from vks.verda.cloud import Cloud
from vks.verda.compute import Flavor
from vks.verda.image import Image

#: Seconds for which a list is believed. A name that it lacks is looked up again at once.
TRUSTED = 60.0


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


class _Cached(Generic[N]):
    def __init__(self, read: Callable[[], Awaitable[list[N]]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._items: list[N] = []
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def find(self, reference: str) -> N | None:
        asked = self._clock.monotonic()
        if asked - self._read_at <= TRUSTED:
            found = _pick(self._items, reference)
            if found is not None:
                return found
        async with self._reading:
            if self._read_at <= asked:  # else somebody has read it for those who waited
                self._items = await self._read()
                self._read_at = self._clock.monotonic()
        return _pick(self._items, reference)


def _pick(items: Iterable[N], reference: str) -> N | None:
    """By id, else by name; of several with the name the one with the smallest id, so that the
    choice does not depend on the order of a list."""
    candidates = list(items)
    by_id = next((item for item in candidates if item.id == reference), None)
    if by_id is not None:
        return by_id
    named = [item for item in candidates if item.name == reference]
    return min(named, key=lambda item: item.id, default=None)


class Catalogue:
    """What servers of one account can be made from. Every method raises CloudError."""

    def __init__(self, cloud: Cloud, clock: Clock) -> None:
        self._flavors: _Cached[Flavor] = _Cached(cloud.compute.flavors, clock)
        self._images: _Cached[Image] = _Cached(cloud.image.images, clock)

    async def flavor(self, reference: str) -> Flavor | None:
        """The flavor with this id or name."""
        return await self._flavors.find(reference)

    async def image(self, reference: str) -> Image | None:
        """The image with this id or name."""
        return await self._images.find(reference)
