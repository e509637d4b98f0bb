"""An answer is bounded as a whole, in seconds and in bytes; a real server bounds nothing."""

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from superoffice_hooks.superoffice_api import deadline
from superoffice_hooks.superoffice_api.sending import Answer, NoAnswer, Sender

OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that writes its answer itself, byte by byte if it likes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _address = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    answer(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        # A thread that waits in accept does not notice close alone.
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def got(url: str, **bounds: Any) -> Answer | NoAnswer:
    sender = Sender(**bounds)
    try:
        return sender.send("GET", url)
    finally:
        sender.close()


def dripping(begin: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Writes the begin of an answer, and then a drop of it again and again, for ten seconds."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(begin)
        for _ in range(200):
            connection.sendall(drop)
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize("is_a_person", [True, False])
@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (OK, b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"Content-Length: 9999\r\n\r\n", b" "),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
    ids=["headers", "interim answers", "body", "length of a chunk"],
)
def test_an_answer_that_drips_ends_as_a_whole(begin, drop, is_a_person):
    person, process = (0.2, 60) if is_a_person else (60, 0.2)
    started = time.monotonic()
    with serving(dripping(begin, drop)) as url, deadline.within(person):
        answer = got(url, seconds=process)
        took = time.monotonic() - started
    assert answer == NoAnswer("no answer in time", was_sent=True)
    assert took < 5


def test_interim_answers_without_a_pause_end_too():
    def flood(connection: socket.socket) -> None:
        for _ in range(10_000_000):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    with serving(flood) as url:
        assert got(url, seconds=0.2) == NoAnswer("no answer in time", was_sent=True)


def packed(body: bytes, coding: bytes = b"gzip") -> Callable[[socket.socket], None]:
    """Answers with a body as it is, and says how it is packed."""
    head = b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body))
    return lambda connection: connection.sendall(OK + head + body)


def test_an_answer_that_is_packed_is_unpacked():
    with serving(packed(gzip.compress(b'{"a": 1}'))) as url:
        answer = got(url)
    assert isinstance(answer, Answer)
    assert answer.json() == {"a": 1}


def test_what_an_answer_unpacks_to_is_bounded():
    bomb = gzip.compress(b" " * (100 * 1024 * 1024))
    with serving(packed(bomb)) as url:
        tracemalloc.start()
        answer = got(url, max_bytes=1024 * 1024)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(answer, NoAnswer)
    assert peak < 10 * 1024 * 1024


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(gzip.compress(b"{}")), b"gzip, gzip"),
        (b"{}", b"br"),
        (b"{}", b"gzip"),
        (gzip.compress(b"{}" * 100)[:-9], b"gzip"),
    ],
    ids=["twice", "another way", "not packed", "cut"],
)
def test_an_answer_that_cannot_be_unpacked_is_no_answer(body, coding):
    with serving(packed(body, coding)) as url:
        assert got(url) == NoAnswer("an answer that cannot be unpacked", was_sent=True)


def test_a_connection_that_is_reset_in_the_middle_of_a_body_is_no_answer():
    def reset(connection: socket.socket) -> None:
        connection.sendall(OK + b"Content-Length: 99\r\n\r\n{")
        # Closed with a reset, not with an end.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with serving(reset) as url:
        assert got(url) == NoAnswer("the connection was cut", was_sent=True)
