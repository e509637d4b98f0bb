"""A connection whose server does not answer is ended; all others are left alone."""

import os
import socket
import threading
import time

import pytest
from django.db import connection

from superoffice_hooks.models import errors
from superoffice_hooks.receiving.deadlines import Deadlines, deadlines


@pytest.fixture
def pair():
    """Two ends of a connection; nobody writes to the first one."""
    first, second = socket.socketpair()
    with first, second:
        first.settimeout(10)
        yield first, second


def test_who_waits_for_too_long_reads_the_end(pair):
    first, _ = pair
    before = time.monotonic()
    with Deadlines().within(0.2, first):
        assert first.recv(1) == b""
    assert 0.1 < time.monotonic() - before < 5


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows forks no process")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_deadlines_of_its_own(pair):
    first, second = pair
    # The thread that watches is started here, and a child has no thread of its parent.
    with deadlines.within(60, first):
        second.send(b"x")
        first.recv(1)
    child = os.fork()
    if not child:
        try:
            with deadlines.within(0.2, first):
                os._exit(len(first.recv(1)))
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_was_waited_for_holds_no_file(pair):
    first, second = pair
    deadlines = Deadlines()
    free = os.dup(first.fileno())
    os.close(free)
    for answer in range(5):
        with deadlines.within(60, first):
            second.send(b"x")
            assert first.recv(1) == b"x", answer
    again = os.dup(first.fileno())
    os.close(again)
    assert again == free


def test_who_is_answered_in_time_keeps_the_connection(pair):
    first, second = pair
    deadlines = Deadlines()
    for _ in range(3):
        with deadlines.within(0.2, first):
            second.send(b"x")
            assert first.recv(1) == b"x"
    time.sleep(0.4)
    second.send(b"y")
    assert first.recv(1) == b"y"


def test_each_has_its_own_deadline_and_one_thread_serves_them_all(pair):
    first, second = pair
    deadlines = Deadlines()
    ended: list[float] = []
    before = time.monotonic()

    def wait(end, seconds) -> None:
        with deadlines.within(seconds, end):
            end.recv(1)
        ended.append(round(time.monotonic() - before, 1))

    others = [socket.socketpair() for _ in range(3)]
    count = threading.active_count()
    threads = [
        threading.Thread(target=wait, args=(end, seconds))
        for (end, _), seconds in zip(others, (1.0, 0.3, 0.6), strict=True)
    ]
    for thread in threads:
        thread.start()
    assert threading.active_count() <= count + len(threads) + 1
    for thread in threads:
        thread.join(10)
    assert ended == sorted(ended)
    assert ended[-1] < 5
    for one in (end for both in others for end in both):
        one.close()
    second.send(b"x")
    assert first.recv(1) == b"x"


def test_what_is_no_socket_is_left_alone():
    with Deadlines().within(0, object()):
        pass
    with Deadlines().within(0, None):
        pass


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="no server")
def test_a_driver_that_waits_is_told_that_the_connection_is_lost():
    connection.ensure_connection()
    sleep = "SELECT pg_sleep(20)" if connection.vendor == "postgresql" else "SELECT sleep(20)"
    before = time.monotonic()
    with (
        connection.cursor() as cursor,
        pytest.raises(Exception) as caught,  # noqa: PT011  (each driver has one of its own)
        Deadlines().within(0.3, connection.connection),
    ):
        cursor.execute(sleep)
    assert time.monotonic() - before < 5
    assert errors.is_lost(caught.value)
    connection.close()
    if connection.vendor == "postgresql":  # which sleeps on
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
