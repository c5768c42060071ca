"""A watch stream cut into any chunks, with any text in it, yields the same events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st
from tests.support.fakeapi import Thing

from vks.kube import wire
from vks.kube.codec import Change, LineSplitter

texts = st.text(
    alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("\x85\u2028\u2029\x0b\r"))
)


@given(st.lists(texts, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_lines_survive_any_text_and_any_chunking(values: list[str], sizes: list[int]) -> None:
    lines = [json.dumps({"v": value}, ensure_ascii=False).encode() for value in values]
    stream = b"".join(line + b"\n" for line in lines)
    splitter = LineSplitter()
    received: list[bytes] = []
    turn = 0
    while stream:
        size = sizes[turn % len(sizes)]
        received += splitter.feed(stream[:size])
        stream = stream[size:]
        turn += 1
    assert received == lines


@given(st.lists(texts, min_size=1, max_size=5))
def test_a_tenants_annotation_cannot_cut_an_event(values: list[str]) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for number, value in enumerate(values):
            metadata = {"name": "x", "resourceVersion": str(number), "annotations": {"a": value}}
            event = {"type": "ADDED", "object": {"metadata": metadata}}
            encoded = json.dumps(event, ensure_ascii=False).encode() + b"\n"
            yield encoded[:30]
            yield encoded[30:]

    async def collect() -> list[str]:
        found = []
        async for batch in wire.batches(Thing, chunks()):
            for event in batch:
                assert isinstance(event, Change)
                found.append(event.object.metadata.annotations["a"])
        return found

    assert asyncio.run(collect()) == values
