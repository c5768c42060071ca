"""One connection: answers however they arrive, and what makes it fit for another request."""

from __future__ import annotations

import asyncio

import pytest

from vks.kube.http1 import Connection, DisconnectedError

BODY = b'{"kind":"Status"}\n'
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:])
)
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + LENGTH


class Wire(asyncio.Transport):
    """The other side of the connection, in the test's hands."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.aborted = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def abort(self) -> None:
        self.aborted = True

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def connect() -> tuple[Connection, Wire]:
    connection, wire = Connection(), Wire()
    connection.connection_made(wire)
    connection.send(b"GET / HTTP/1.1\r\n\r\n")
    return connection, wire


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED, INTERIM])
async def test_an_answer_is_the_same_wherever_it_is_cut(answer: bytes) -> None:
    for cut in range(len(answer) + 1):
        connection, _ = connect()
        reading = asyncio.create_task(connection.body())
        connection.data_received(answer[:cut])
        await asyncio.sleep(0)
        if cut < len(answer):
            connection.data_received(answer[cut:])
        assert await reading == BODY
        assert (await connection.head()).status == 200
        assert connection.at_rest


async def test_headers_are_found_however_a_server_writes_their_names() -> None:
    connection, _ = connect()
    connection.data_received(b"HTTP/1.1 429 Slow\r\nRETRY-after: 3\r\nContent-Length: 0\r\n\r\n")
    answer = await connection.head()
    assert answer.header(b"retry-after") == b"3"
    assert answer.header(b"location") is None
    connection.send(b"again")
    connection.data_received(LENGTH)
    assert (await connection.head()).header(b"retry-after") is None


async def test_one_connection_carries_many_answers() -> None:
    connection, wire = connect()
    for answer in (LENGTH, CHUNKED, LENGTH):
        connection.data_received(answer)
        assert await connection.body() == BODY
        connection.send(b"again")
    assert wire.sent.endswith(b"againagainagain")


async def test_a_body_without_length_ends_with_the_connection() -> None:
    connection, _ = connect()
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\npart")
    connection.connection_lost(None)
    assert await connection.body() == b"part"
    assert not connection.at_rest


async def test_an_answer_that_is_cut_short_is_none() -> None:
    connection, _ = connect()
    connection.data_received(LENGTH[:-3])
    connection.connection_lost(None)
    with pytest.raises(DisconnectedError) as caught:
        await connection.body()
    assert not caught.value.unanswered


async def test_a_connection_that_ends_before_any_answer_says_so() -> None:
    connection, _ = connect()
    connection.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(DisconnectedError, match="reset") as caught:
        await connection.head()
    assert caught.value.unanswered


async def test_a_server_that_wants_to_close_is_not_asked_again() -> None:
    connection, _ = connect()
    connection.data_received(LENGTH.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))
    assert await connection.body() == BODY
    assert not connection.at_rest


async def test_what_is_not_http_ends_the_connection() -> None:
    connection, wire = connect()
    connection.data_received(b"SSH-2.0-OpenSSH_9.2\r\n")
    with pytest.raises(DisconnectedError, match="not an HTTP answer"):
        await connection.head()
    assert wire.aborted


async def test_an_answer_that_nobody_asked_for_ends_the_connection() -> None:
    connection, wire = connect()
    connection.data_received(LENGTH)
    await connection.body()
    connection.data_received(LENGTH)
    assert wire.aborted
    assert not connection.at_rest


async def test_a_body_is_received_however_large_it_is() -> None:
    connection, wire = connect()
    reading = asyncio.create_task(connection.body())
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n")
    for _ in range(4):
        assert wire.reading
        connection.data_received(b"x" * 0x100000)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(await reading) == 4194304


async def test_a_stream_that_is_not_read_is_not_received() -> None:
    connection, wire = connect()
    connection.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n")
    connection.data_received(b"x" * 0x100001)
    assert not wire.reading
    chunks = connection.chunks()
    assert len(await anext(chunks)) == 0x100001
    assert wire.reading
    assert not connection.at_rest
