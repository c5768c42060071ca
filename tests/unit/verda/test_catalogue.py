"""How often the cloud is asked for what servers are made from."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from tests.support.virtual import run

from vks.runtime.clock import SystemClock
from vks.verda.catalogue import TRUSTED, Catalogue
from vks.verda.cloud import Cloud
from vks.verda.compute import Flavor

SMALL = Flavor("2", "small", 1, 2048)


class Compute:
    """Takes a moment to answer."""

    def __init__(self) -> None:
        self.found = [SMALL]
        self.asked = 0

    async def flavors(self) -> list[Flavor]:
        self.asked += 1
        await asyncio.sleep(0.1)
        return list(self.found)


def _catalogue(compute: Compute) -> Catalogue:
    cloud: Any = SimpleNamespace(compute=compute, image=SimpleNamespace(images=None))
    return Catalogue(cast(Cloud, cloud), SystemClock())


def test_many_who_ask_at_once_share_a_list() -> None:
    async def story() -> int:
        compute = Compute()
        catalogue = _catalogue(compute)
        found = await asyncio.gather(*(catalogue.flavor("small") for _ in range(20)))
        assert found == [SMALL] * 20
        assert await catalogue.flavor("2") == SMALL
        return compute.asked

    assert run(story()) == 1


def test_a_name_that_is_lacking_is_looked_up_again_and_old_lists_are_not_believed() -> None:
    async def story() -> list[int]:
        compute = Compute()
        catalogue = _catalogue(compute)
        asked = []
        assert await catalogue.flavor("large") is None
        asked.append(compute.asked)
        large = Flavor("3", "large", 4, 8192)
        compute.found.append(large)
        assert await catalogue.flavor("large") == large
        asked.append(compute.asked)
        await asyncio.sleep(TRUSTED + 1)
        assert await catalogue.flavor("small") == SMALL
        return [*asked, compute.asked]

    assert run(story()) == [1, 2, 3]
