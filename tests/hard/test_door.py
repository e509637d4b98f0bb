"""The door in a real ASGI server: its threads keep their connections, and take many at once."""

import threading
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from superoffice_hooks.wire.signature import sign

from ..conftest import body
from ..databases import connected
from . import SECRET
from .conftest import IS_POSTGRES
from .processes import wait_until
from .servers import WebServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IS_POSTGRES, reason="Connections are counted on PostgreSQL."),
]

THREADS = 8
SENDERS, EACH = 20, 10


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
def test_many_senders_at_once_share_a_few_connections(
    kind, project_on, database_url, django_db_blocker
):
    project = project_on(database_url, {"HARD_DOOR": "door"}, DISPATCH="worker")
    server = WebServer(project, kind)
    with django_db_blocker.unblock(), connected(database_url) as watching:
        before = sessions(watching)
        senders = [threading.Thread(target=send, args=[server.port]) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        after = sessions(watching)
        # Each request had a connection of its own without the door.
        assert 0 < after - before <= THREADS
        send(server.port)
        wait_until(lambda: sessions(watching) == after, "the connections to be used again")
        assert stored(watching) == (SENDERS + 1) * EACH


def send(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(EACH):
        sent = body()
        headers = {"X-SuperOffice-Signature": sign(sent, SECRET)}
        connection.request("POST", "/superoffice/webhook/", sent, headers)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"OK")
    connection.close()


def sessions(watching) -> int:
    """How many connections the database has had, as its sessions are counted."""
    name = urlsplit(str(watching.settings_dict["NAME"])).path
    with watching.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name])
        return int(cursor.fetchone()[0])


def stored(watching) -> int:
    with watching.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM superoffice_hooks_event")
        return int(cursor.fetchone()[0])
