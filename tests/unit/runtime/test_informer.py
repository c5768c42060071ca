from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
from tests.support import virtual
from tests.support.fakeapi import FakeApi, Thing

from vks.kube.codec import Bookmark, Change, PoisonObject
from vks.kube.errors import Cause, Gone, TooManyRequests, Unavailable
from vks.kube.objects import Key, OwnerReference, Resource
from vks.runtime import informer as informers
from vks.runtime.informer import Informer
from vks.runtime.store import by_label, by_owner_uid


@asynccontextmanager
async def following(
    api: FakeApi, **options: Callable[..., None]
) -> AsyncIterator[tuple[Informer[Thing], list[informers.Change[Thing]]]]:
    informer = Informer(api, Thing, rng=Random(1), **options)  # type: ignore[arg-type]
    told: list[informers.Change[Thing]] = []
    informer.add_handler(told.append)
    task = asyncio.create_task(informer.run())
    await informer.wait_synced()
    await asyncio.sleep(0.01)
    try:
        yield informer, told
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("in_stream", [True, False])
def test_after_410_the_list_is_compared_and_deletes_are_told(in_stream: bool) -> None:
    async def main() -> None:
        api = FakeApi()
        api.put("gone")
        api.put("stays")
        async with following(api) as (informer, told):
            told.clear()
            api.stall()  # the delete is never sent
            api.delete("gone")
            api.compact()
            if in_stream:
                for stream in api._streams:
                    stream.stalled = False
                    while not stream.queue.empty():
                        stream.queue.get_nowait()
                api.cut(Gone("too old", status=410))
            await asyncio.sleep(100)
            assert [(c.key.name, c.new) for c in told] == [("gone", None)]
            assert informer.store.get(Key("n", "gone")) is None
            assert api.lists == 2

    virtual.run(main())


def test_a_clean_end_resumes_from_the_last_version_without_a_list() -> None:
    async def main() -> None:
        api = FakeApi()
        api.put("a")
        async with following(api) as (informer, _):
            api.put("b")
            api.bookmark()
            await asyncio.sleep(0.01)
            api.cut()
            await asyncio.sleep(1)
            assert api.lists == 1
            assert api.watches[-1] == str(api.revision)
            assert len(informer.store) == 2

    virtual.run(main())


def test_retry_after_is_honoured() -> None:
    async def main() -> None:
        api = FakeApi()
        async with following(api):
            before = len(api.watches)
            api.watch_failures.append(TooManyRequests("no", status=429, retry_after=20))
            api.bookmark()
            await asyncio.sleep(0.01)
            api.cut()
            await asyncio.sleep(19)
            assert len(api.watches) == before + 1
            await asyncio.sleep(2)
            assert len(api.watches) == before + 2

    virtual.run(main())


def test_errors_back_off_exponentially() -> None:
    async def main() -> None:
        api = FakeApi()
        async with following(api) as (informer, _):
            api.watch_failures += [Unavailable("down", status=503)] * 1000
            api.cut(Unavailable("reset"))
            before = len(api.watches)
            await asyncio.sleep(600)
            assert isinstance(informer.error, Unavailable)
            # 0.1 s doubling to 30 s: a handful at first, then two to four a minute.
            assert 25 < len(api.watches) - before < 60

    virtual.run(main())


def test_a_quiet_kind_is_never_blind_for_long_however_often_its_watch_breaks() -> None:
    async def main() -> None:
        api = FakeApi()
        async with following(api) as (_, told):
            for _ in range(20):
                await asyncio.sleep(0.5)
                api.cut(Unavailable("reset"))
            api.put("seen")
            await asyncio.sleep(0.2)
            assert [change.key.name for change in told] == ["seen"]

    virtual.run(main())


@pytest.mark.parametrize("error", [None, Unavailable("reset")], ids=["ended", "broken"])
def test_watches_that_end_at_once_are_not_begun_in_a_tight_loop(error: Unavailable | None) -> None:
    async def main() -> None:
        api = FakeApi()
        async with following(api):
            before = len(api.watches)
            for _ in range(12_000):
                api.cut(error)
                await asyncio.sleep(0.05)
            assert 25 < len(api.watches) - before < 60

    virtual.run(main())


def test_silence_of_70_s_ends_the_watch_and_bookmarks_keep_it() -> None:
    async def main() -> None:
        api = FakeApi()
        async with following(api) as (_, told):
            for _ in range(5):
                await asyncio.sleep(60)
                api.bookmark()
            assert len(api.watches) == 1
            api.stall()
            api.put("missed")
            await asyncio.sleep(75)
            assert len(api.watches) == 2
            assert [c.key.name for c in told] == ["missed"]

    virtual.run(main())


def test_an_undecodable_object_is_reported_and_stepped_over() -> None:
    async def main() -> None:
        api = FakeApi()
        api.put("was-fine", value=7)
        found: list[PoisonObject] = []

        def note(_: Resource, poison: PoisonObject) -> None:
            found.append(poison)

        async with following(api, on_poison=note) as (informer, told):
            told.clear()
            version = str(api.revision + 1)
            api.send(PoisonObject("was-fine", "n", "u", version, "value: expected int"))
            api.put("after")
            await asyncio.sleep(0.01)
            assert [poison.name for poison in found] == ["was-fine"]
            assert [c.key.name for c in told] == ["after"]
            # It exists all the same: its last good state stays.
            assert informer.store.get(Key("n", "was-fine")) is not None

    virtual.run(main())


def test_an_object_made_anew_is_a_delete_and_an_add() -> None:
    async def main() -> None:
        api = FakeApi()
        old = api.put("a")
        async with following(api) as (_, told):
            told.clear()
            api.stall()
            api.delete("a")
            new = api.put("a")
            api.compact()
            await asyncio.sleep(100)
            assert [(c.old, c.new) for c in told] == [(old, None), (None, new)]

    virtual.run(main())


@pytest.mark.parametrize("how", ["bookmark", "too-large"])
def test_a_restored_server_is_listed_again(how: str) -> None:
    async def main() -> None:
        api = FakeApi()
        for number in range(20):
            api.put(f"t{number}")
        async with following(api) as (informer, _):
            api.revision, api.history = 3, []
            api.things = {key: api.things[key] for key in [Key("n", "t0")]}
            if how == "bookmark":
                api.send(Bookmark("3"))
            else:
                cause = Cause("", "ResourceVersionTooLarge", "")
                api.cut(Unavailable("too large", status=504, causes=(cause,)))
            await asyncio.sleep(10)
            assert [thing.metadata.name for thing in informer.store.list()] == ["t0"]

    virtual.run(main())


def test_a_failing_handler_does_not_hide_changes_from_others() -> None:
    async def main() -> None:
        api = FakeApi()
        async with following(api) as (informer, told):

            def explode(_: object) -> None:
                raise RuntimeError("a bug")

            informer._handlers.insert(0, explode)
            api.put("a")
            await asyncio.sleep(0.01)
            assert [c.key.name for c in told] == ["a"]

    virtual.run(main())


def test_indexes_follow_the_objects() -> None:
    async def main() -> None:
        api = FakeApi()
        owner = OwnerReference(api_version="v1", kind="X", name="x", uid="u1")
        api.put("a", labels={"cluster": "one"}, owner_references=(owner,))
        async with following(api) as (informer, _):
            informer.store.add_indexer("cluster", by_label("cluster"))
            informer.store.add_indexer("owner", by_owner_uid)
            api.put("b", labels={"cluster": "one"})
            await asyncio.sleep(0.01)
            one = informer.store.by_index("cluster", "one")
            assert {thing.metadata.name for thing in one} == {"a", "b"}
            assert [t.metadata.name for t in informer.store.by_index("owner", "u1")] == ["a"]
            api.put("b", labels={"cluster": "two"})
            api.delete("a")
            await asyncio.sleep(0.01)
            assert informer.store.by_index("cluster", "one") == []
            assert len(informer.store.by_index("cluster", "two")) == 1
            with pytest.raises(KeyError):
                informer.store.by_index("nothing", "x")

    virtual.run(main())


def test_cached_objects_cannot_be_changed() -> None:
    thing = FakeApi().put("a")
    with pytest.raises(AttributeError):
        thing.value = 2  # type: ignore[misc]
    assert not hasattr(thing.metadata, "managed_fields")


def test_a_deleted_event_of_something_unknown_tells_nothing() -> None:
    async def main() -> None:
        api = FakeApi()
        ghost = api.put("ghost")
        api.delete("ghost")
        async with following(api) as (_, told):
            told.clear()
            api.send(Change("DELETED", ghost, str(api.revision)))
            await asyncio.sleep(0.01)
            assert told == []

    virtual.run(main())
