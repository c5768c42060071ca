"""What programs of controllers run on, in real time: it is another loop than that of the tests."""

from __future__ import annotations

from vks.runtime.process import run_until_complete
from vks.runtime.queue import WorkQueue


def test_keys_come_after_the_shortest_delays_and_sooner_when_they_are_asked_for_sooner() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for delay in (0.02, 0.003, 0.0006, 0.0004, 0.0001, 0.00001, 0.0):
            queue.add_after(f"after {delay}", delay)
            queue.add_after("the same", delay)
        came = [(await queue.get())[0] for _ in range(8)]
        assert len({*came}) == 8
        assert queue.waiting == 0

    run_until_complete(main())
