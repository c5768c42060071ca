"""A TCP proxy that loses, delays and cuts connections on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self


class ChaosProxy:
    """Forwards a loopback port to another; `port` is its own."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.connections = 0
        self.cuts = 0
        self._refused = 0
        self._carried = 0
        self._happened = asyncio.Event()
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Resets every connection in the middle of whatever it carries."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    async def carries(self, pieces: int) -> None:
        """Returns once it has passed on so many more pieces of data. Harm that is measured in
        them, and not in seconds, leaves a slow machine as much room as a fast one."""
        enough = self._carried + pieces
        await self._until(lambda: self._carried >= enough)

    async def refuses(self, connections: int) -> None:
        """Returns once it has refused so many more connections."""
        enough = self._refused + connections
        await self._until(lambda: self._refused >= enough)

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._happened.clear()
            await self._happened.wait()

    def stall(self) -> None:
        """Nothing gets through, and nobody is told."""
        self._flowing.clear()

    def refuse(self) -> None:
        """New connections are closed at once."""
        self._refusing = True

    def heal(self) -> None:
        """Everything works again."""
        self._refusing = False
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            self._refused += 1
            self._happened.set()
            writer.transport.abort()
            return
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            both = {writer, far_writer}
            self._writers |= both
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                self._writers -= both
                for end in both:
                    end.transport.abort()
        except OSError:
            writer.transport.abort()  # a broken connection is what this proxy is for
        finally:
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            self._carried += 1
            self._happened.set()
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
