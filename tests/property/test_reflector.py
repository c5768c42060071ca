"""Whatever the connection does, the cache ends up equal to the server and every change has
been told exactly once."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.support.fakeapi import FakeApi, Thing
from tests.support.virtual import new_loop

from vks.kube.errors import Gone, TooManyRequests, Unavailable
from vks.kube.objects import Key
from vks.runtime.informer import Change, Informer

names = st.sampled_from(["a", "b"])


class ReflectorMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.loop = new_loop()
        self.api = FakeApi()
        self.mirror: dict[Key, Thing] = {}
        self.wrong: list[Change[Thing]] = []
        self.informer = Informer(self.api, Thing, rng=Random(1))
        self.informer.add_handler(self.note)
        self.task = self.loop.create_task(self.informer.run())
        self.api.put("a")
        self.pass_time(0.01)

    def note(self, change: Change[Thing]) -> None:
        """Rebuilds the server's state from the told changes alone."""
        # The informer survives a handler that raises, so what is wrong is kept for the end.
        if self.mirror.get(change.key) is not change.old and change.new is not None:
            self.wrong.append(change)
        if change.new is not None:
            self.mirror[change.key] = change.new
        elif self.mirror.pop(change.key, None) is None:
            self.wrong.append(change)

    @rule(name=names, value=st.integers(0, 9), delivered=st.booleans())
    def put(self, name: str, value: int, delivered: bool) -> None:
        self.api.put(name, value)
        if delivered:
            self.pass_time(0.01)

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.api.delete(name)

    @rule()
    def end_cleanly(self) -> None:
        self.api.cut()

    @rule()
    def break_connection(self) -> None:
        self.api.cut(Unavailable("connection reset"))

    @rule()
    def expire_in_stream(self) -> None:
        self.api.cut(Gone("too old", status=410))

    @rule()
    def compact_and_break(self) -> None:
        self.api.compact()
        self.api.cut(Unavailable("connection reset"))

    @rule(name=names)
    def miss_a_delete_for_good(self, name: str) -> None:
        self.api.stall()
        self.api.delete(name)
        self.api.compact()

    @rule()
    def stall(self) -> None:
        self.api.stall()

    @rule()
    def shed_load(self) -> None:
        self.api.watch_failures.append(TooManyRequests("slow down", status=429, retry_after=3))
        self.api.list_failures.append(TooManyRequests("slow down", status=429, retry_after=3))

    @rule(count=st.integers(0, 5))
    def repeat_on_reconnect(self, count: int) -> None:
        self.api.repeat = count

    @rule(seconds=st.sampled_from([0.0, 0.01, 1.0, 100.0]))
    def pass_time(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            # Longer than watchdog, longest back-off and every injected failure together.
            self.loop.run_until_complete(asyncio.sleep(3000))
            assert {thing.key: thing for thing in self.informer.store.list()} == self.api.things
            assert self.mirror == self.api.things
            assert self.wrong == []
            assert not self.task.done()
        finally:
            self.task.cancel()
            self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
            self.loop.close()


TestReflector = ReflectorMachine.TestCase
TestReflector.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
