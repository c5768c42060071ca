"""The work queue against a model: nothing lost, nothing held twice, priorities and delays."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support.virtual import new_loop

from vks.runtime.queue import WorkQueue

keys = st.sampled_from("abcd")
priorities = st.sampled_from([-100, 0, 5])


class QueueMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.loop = new_loop()
        self.queue: WorkQueue[str] = WorkQueue()
        self.owed: dict[str, int] = {}  # key -> priority: must be handed out
        self.delayed: dict[str, tuple[float, int]] = {}
        self.held: set[str] = set()

    def on_loop(self, function: object, *args: object) -> None:
        async def call() -> None:
            function(*args)  # type: ignore[operator]

        self.loop.run_until_complete(call())

    @rule(key=keys, priority=priorities)
    def add(self, key: str, priority: int) -> None:
        self.on_loop(self.queue.add, key, priority)
        self.owed[key] = max(priority, self.owed.get(key, priority))

    @rule(key=keys, delay=st.sampled_from([0.5, 1.0, 7.0]), priority=priorities)
    def add_after(self, key: str, delay: float, priority: int) -> None:
        self.on_loop(self.queue.add_after, key, delay, priority)
        due = self.loop.time() + delay
        if key in self.delayed:
            known_due, known_priority = self.delayed[key]
            self.delayed[key] = (min(due, known_due), max(priority, known_priority))
        else:
            self.delayed[key] = (due, priority)

    @rule(seconds=st.sampled_from([0.25, 1.0, 10.0]))
    def pass_time(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds + 0.01))
        now = self.loop.time()
        for key, (due, priority) in [*self.delayed.items()]:
            if due <= now:
                del self.delayed[key]
                self.owed[key] = max(priority, self.owed.get(key, priority))

    @precondition(lambda self: any(key not in self.held for key in self.owed))
    @rule()
    def get(self) -> None:
        available = {key: p for key, p in self.owed.items() if key not in self.held}
        key, priority = self.loop.run_until_complete(asyncio.wait_for(self.queue.get(), 0.001))
        assert key not in self.held
        assert available[key] == priority == max(available.values())
        del self.owed[key]
        self.held.add(key)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.on_loop(self.queue.done, key)
        self.held.remove(key)

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "queue"):
            assert len(self.queue) == len([key for key in self.owed if key not in self.held])

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
