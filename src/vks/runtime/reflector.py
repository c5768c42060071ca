"""Follows one kind on one API server: list once, then watch without losing or inventing
anything, whatever the connection does.

The rules are client-go's: resume from the last resource version after a clean end, list
again when history is gone, back off on errors, distrust silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, closing
from random import Random
from typing import Any, Generic, Protocol, TypeVar

import structlog

from vks.kube.client import ListResult
from vks.kube.codec import Bookmark, Change, PoisonObject
from vks.kube.errors import ApiError, Gone, Unavailable
from vks.kube.objects import KubeObject
from vks.kube.selectors import Selection
from vks.kube.wire import Batch
from vks.runtime.backoff import Backoff
from vks.runtime.deadline import Deadline

T = TypeVar("T", bound=KubeObject)

#: Bookmarks come about once a minute, so a longer silence is a dead connection.
INACTIVITY_TIMEOUT = 70.0
_PAGE = 500
_BASE_DELAY = 0.1
_MAX_DELAY = 30.0

log = structlog.get_logger(__name__)


class ListWatcher(Protocol):
    """The part of `vks.kube.client.Client` that a reflector uses."""

    async def list(
        self,
        model: Any,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int = 500,
    ) -> ListResult[Any]: ...

    def watch(
        self,
        model: Any,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int = 300,
    ) -> AbstractAsyncContextManager[AsyncIterator[Batch]]: ...


class Sink(Protocol[T]):
    """Receives what the reflector learns, in order."""

    def replace(self, listed: ListResult[T]) -> None:
        """The whole truth: what is not in it is deleted."""

    def apply(self, change: Change[T]) -> None:
        """One change."""

    def poison(self, found: PoisonObject) -> None:
        """An object that does not decode."""

    def progress(self, resource_version: str) -> None:
        """Everything up to that version has been handed over."""

    def health(self, error: ApiError | None) -> None:
        """The watch broke (with the reason), or works again (None)."""


class Reflector(Generic[T]):
    """Keeps a sink up to date. `error` is the current trouble, None while all is well."""

    def __init__(
        self,
        source: ListWatcher,
        model: type[T],
        selection: Selection,
        sink: Sink[T],
        *,
        rng: Random,
    ) -> None:
        self.error: ApiError | None = None
        self._source = source
        self._model = model
        self._selection = selection
        self._sink = sink
        self._rng = rng
        self._backoff = Backoff(rng, base=_BASE_DELAY, limit=_MAX_DELAY)
        self._version = ""
        self._number: int | None = None  # the version, when it is comparable
        self._log = log.bind(kind=model.resource.kind)

    def switch(self, source: ListWatcher) -> None:
        """Follows another server, or the same one with other credentials, from now on; what
        the sink has is compared with a new list. Not while `run` runs."""
        self._source = source
        self._forget()
        self._backoff.reset()

    async def run(self) -> None:
        """Runs until cancelled; every ApiError is retried."""
        with closing(Deadline(INACTIVITY_TIMEOUT)) as watchdog:
            while True:
                try:
                    if not self._version:
                        await self._list()
                    delay = await self._watch(watchdog)
                except ApiError as error:
                    delay = self._after(error)
                if delay > 0:
                    await asyncio.sleep(delay)

    async def _list(self) -> None:
        listed: ListResult[T] = await self._source.list(
            self._model,
            self._selection.namespace,
            label_selector=self._selection.label_selector,
            field_selector=self._selection.field_selector,
            limit=_PAGE,
        )
        for found in listed.poison:
            self._sink.poison(found)
        self._sink.replace(listed)
        self._advance(listed.resource_version)
        self._recovered()

    async def _watch(self, watchdog: Deadline) -> float:
        """One watch to its clean end; returns the pause before the next one."""
        told = False
        watch = self._source.watch(
            self._model,
            self._selection.namespace,
            resource_version=self._version,
            label_selector=self._selection.label_selector,
            field_selector=self._selection.field_selector,
            timeout_seconds=self._rng.randint(300, 600),
        )
        try:
            with watchdog:
                async with watch as stream:
                    self._recovered()
                    told = await self._follow(stream, watchdog)
        except TimeoutError as error:
            if not watchdog.expired:
                raise
            raise Unavailable(
                f"no event or bookmark in {INACTIVITY_TIMEOUT:.0f} s", reason="WatchStalled"
            ) from error
        # A server that ends watches without a word must not be asked in a tight loop.
        return 0.0 if told else self._backoff.next()

    async def _follow(self, stream: AsyncIterator[Batch], watchdog: Deadline) -> bool:
        """Takes what a watch tells, to its end; whether it told anything."""
        began = watchdog.loop.time()
        told = False
        try:
            async for batch in stream:
                watchdog.renew()
                self._take(batch)
                told = True
        finally:
            # Of a kind of which nothing changes no event says that its watch worked: without
            # the time, each time it breaks it would be blind for twice as long.
            if told or watchdog.loop.time() - began >= _BASE_DELAY:
                self._backoff.reset()
        return told

    def _take(self, batch: Batch) -> None:
        for event in batch:
            if isinstance(event, Bookmark):
                self._check_history(event.resource_version)
            elif self._is_older(event.resource_version):
                continue  # sent before the connection broke, and again after it
            elif isinstance(event, PoisonObject):
                self._sink.poison(event)
            else:
                self._sink.apply(event)
            self._advance(event.resource_version)

    def _check_history(self, version: str) -> None:
        """A bookmark behind us means that the server's storage was set back (restored)."""
        if self._is_older(version):
            raise Gone("the server's history went back", status=410)

    def _is_older(self, version: str) -> bool:
        # Versions of one kind are comparable (KEP-5504). Equal is not older: objects that
        # expire together are deleted in one revision.
        return self._number is not None and version.isdigit() and int(version) < self._number

    def _advance(self, version: str) -> None:
        if version:
            self._version = version
            self._number = int(version) if version.isdigit() else None
            self._sink.progress(version)

    def _forget(self) -> None:
        self._version, self._number = "", None

    def _after(self, error: ApiError) -> float:
        """Notes the error; returns the pause before the next attempt."""
        if isinstance(error, Gone) or any(
            cause.reason == "ResourceVersionTooLarge" for cause in error.causes
        ):
            self._forget()
        if type(error) is not type(self.error):
            self._log.warning("watch interrupted", reason=error.reason, error=error.message)
        broke = self.error is None
        self.error = error
        if broke:
            self._sink.health(error)
        return max(self._backoff.next(), error.retry_after or 0.0)

    def _recovered(self) -> None:
        if self.error is not None:
            self._log.info("watch recovered")
            self.error = None
            self._sink.health(None)
