from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.support import virtual

from vks.runtime.deadline import Deadline


def test_what_takes_too_long_ends_with_a_timeout_each_time() -> None:
    async def main() -> None:
        deadline, loop = Deadline(10), asyncio.get_running_loop()
        for _ in range(3):
            began = loop.time()
            with pytest.raises(TimeoutError), deadline:
                await asyncio.sleep(60)
            assert deadline.expired
            assert loop.time() - began == 10
            with deadline:
                await asyncio.sleep(9)
            assert not deadline.expired

    virtual.run(main())


def test_what_is_renewed_goes_on() -> None:
    async def main() -> None:
        async def work() -> None:
            with Deadline(10) as deadline:
                for _ in range(3):
                    await asyncio.sleep(9)
                    deadline.renew()
                await asyncio.sleep(60)

        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            await work()
        assert loop.time() - began == 37

    virtual.run(main())


def test_an_error_of_its_own_stays_what_it_is() -> None:
    async def main() -> None:
        deadline = Deadline(10)
        with pytest.raises(KeyError), deadline:
            raise KeyError
        await asyncio.sleep(60)  # nothing is cancelled after it is over

    virtual.run(main())


def test_somebody_elses_cancellation_is_no_timeout() -> None:
    async def main() -> None:
        async def work() -> None:
            with Deadline(10):
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await asyncio.sleep(10)  # the limit is over in the same moment
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtual.run(main())


def test_what_swallows_the_timeout_is_not_cancelled_later() -> None:
    async def main() -> None:
        deadline = Deadline(10)
        with deadline, contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        assert deadline.expired
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        await asyncio.sleep(60)

    virtual.run(main())
