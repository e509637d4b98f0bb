"""Real servers and a body that is sent in chunks, written by hand."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec

import pytest

from superoffice_hooks.wire.signature import sign

from ..conftest import body
from ..databases import connected
from . import SECRET
from .processes import answers

pytestmark = pytest.mark.slow

WSGI = "tests.hard.wsgi"
ASGI = "tests.hard.asgi:application"

READS: dict[str, Callable[[int], tuple[str, ...]]] = {
    "gunicorn sync": lambda port: ("gunicorn", f"--bind=127.0.0.1:{port}", WSGI),
    "gunicorn gthread": lambda port: (
        *("gunicorn", f"--bind=127.0.0.1:{port}", "--worker-class=gthread", "--threads=4"),
        WSGI,
    ),
    "uvicorn": lambda port: ("uvicorn", f"--port={port}", "--lifespan=off", ASGI),
    "daphne": lambda port: ("daphne", "-b", "127.0.0.1", "-p", str(port), ASGI),
    "cheroot": lambda port: ("cheroot", f"--bind=127.0.0.1:{port}", f"{WSGI}:application"),
    "waitress": lambda port: ("waitress", f"--listen=127.0.0.1:{port}", f"{WSGI}:application"),
}
"""The module to run and its arguments, for a port."""

WITH_A_DOOR = ("gunicorn sync", "gunicorn gthread", "uvicorn", "daphne")


@pytest.fixture
def serve(database_url, project_on) -> Callable[..., None]:
    def start(command: tuple[str, ...], port: int, **environment: str) -> None:
        if not find_spec(command[0]):
            pytest.skip(f"There is no {command[0]} here.")
        hooks = {"DISPATCH": "worker", "MAX_BODY_BYTES": 100_000}
        project_on(database_url, environment, **hooks).start(*command)
        deadline = time.monotonic() + 60
        while not answers(port):
            assert time.monotonic() < deadline, "The server does not answer."
            time.sleep(0.05)

    return start


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def post_in_chunks(port: int, sent: bytes, *, size: int = 700) -> int:
    """Post as .NET does, and return the status."""
    head = (
        "POST /superoffice/webhook/ HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"X-SuperOffice-Signature: {sign(sent, SECRET)}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode())
        # A server may answer, and close, before it has read it all.
        with suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, len(sent), size):
                chunk = sent[start : start + size]
                connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                time.sleep(0.01)
            connection.sendall(b"0\r\n\r\n")
        answer = b""
        while b"\r\n" not in answer:
            part = connection.recv(1000)
            assert part, "The server closed the connection without an answer."
            answer += part
    return int(answer.split()[1])


def stored(url: str, statement: str) -> list[object]:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize(
    ("server", "is_open"),
    [*((server, "") for server in READS), *((server, "door") for server in WITH_A_DOOR)],
)
def test_a_chunked_body_is_stored_to_the_byte(
    server, is_open, serve, database_url, django_db_blocker
):
    port = free_port()
    serve(READS[server](port), port, HARD_DOOR=is_open)
    sent = body()
    assert post_in_chunks(port, sent) == 200
    # The connection and the server are as good as before.
    assert post_in_chunks(port, body(), size=10_000) == 200
    assert post_in_chunks(port, body(Properties="x" * 150_000), size=20_000) == 413
    with django_db_blocker.unblock():
        bodies = stored(database_url, "SELECT body FROM superoffice_hooks_event ORDER BY id")
    assert len(bodies) == 2
    assert bytes(bodies[0]) == sent  # type: ignore[call-overload]


def test_where_a_server_hands_over_nothing_that_is_the_reason(
    serve, database_url, django_db_blocker
):
    port = free_port()
    serve(("django", "runserver", "--noreload", f"127.0.0.1:{port}"), port)
    assert post_in_chunks(port, body()) == 503
    with django_db_blocker.unblock():
        reasons = stored(database_url, "SELECT reason FROM superoffice_hooks_rejection")
    assert reasons == ["body not readable"]
