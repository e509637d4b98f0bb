"""The spool: what the database cannot take now is on the disk before SuperOffice gets its 200."""

import errno
import json
import logging
import shutil
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun, Redelivery, Rejection
from superoffice_hooks.receiving import deliveries, spool
from superoffice_hooks.receiving.pausing import pause
from superoffice_hooks.receiving.spool import sqlite
from superoffice_hooks.wire.notification import Delivery

from ..conftest import SECRET, body
from ..replica import ReplicaThatLags
from ..spooling import POISON_URL, put_in_another_process, refusing, run_in_another_process

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def directory(tmp_path):
    """SPOOL_DIR, with an endpoint ``poison`` beside the usual one."""
    secrets = {"default": [SECRET], "poison": [SECRET]}
    with override_settings(
        SUPEROFFICE_HOOKS={"SECRETS": secrets, "SPOOL_DIR": str(tmp_path), "MAX_ATTEMPTS": 1}
    ):
        yield tmp_path
    deliveries._doubtful.clear()


def files() -> list[Path]:
    return sorted(spool.folder().glob("*.delivery"))


def waiting() -> int:
    return spool.standing().length


def spooled(**values: Any) -> bytes:
    """Put a new delivery into the spool; its body."""
    sent = body(**values)
    spool.put(delivery(sent))
    return sent


def delivery(sent: bytes, endpoint: str = "default") -> Delivery:
    return Delivery(
        endpoint=endpoint,
        body=sent,
        headers={},
        remote_addr=None,
        received_at=timezone.now(),
        signed=True,
    )


def numbers() -> list[int | None]:
    """The records of the events that are stored, in the order in which they were."""
    return [event.primary_key for event in Event.objects.order_by("pk")]


def nothing(**kwargs: object) -> None:
    """A receiver."""


# Taking in ------------------------------------------------------------------------------------


def test_what_comes_while_the_database_is_away_is_answered_200_and_drained_later(
    post, connect, database_away
):
    connect(signals.ticket_changed, nothing)
    with database_away():
        for number in range(3):
            assert post(body(PrimaryKey=number)).status_code == 200
    assert waiting() == 3
    call_command("superoffice_dispatch", verbosity=0)
    assert waiting() == 0
    assert numbers() == [0, 1, 2]
    assert {event.status for event in Event.objects.all()} == {"succeeded"}
    assert ReceiverRun.objects.count() == 3


def test_all_of_it_is_drained_however_much(post, database_away):
    with database_away():
        for number in range(30):
            post(body(PrimaryKey=number))
    assert len(list(deliveries.drain())) == 30
    assert (waiting(), numbers()) == (0, list(range(30)))


def test_no_more_is_drained_than_is_wanted():
    for number in range(5):
        spooled(PrimaryKey=number)
    assert len(list(deliveries.drain(2))) == 2
    assert (waiting(), numbers()) == (3, [0, 1])


def test_it_is_drained_though_reads_go_to_a_replica_that_lags(post):
    sent = spooled(PrimaryKey=76)
    with override_settings(DATABASE_ROUTERS=[ReplicaThatLags()]):
        assert len(list(deliveries.drain())) == 1
        # Known already, and that is asked where it is written, too.
        spool.put(delivery(sent))
        assert len(list(deliveries.drain())) == 1
    assert numbers() == [76]
    assert waiting() == 0


def test_when_it_arrived_is_when_it_arrived(post, database_away):
    with database_away():
        post(body(), headers={"User-Agent": "NetServer-Webhook/11", "X-SuperOffice-Retry": "2"})
        post(body())
    post(body())
    list(deliveries.drain())
    stored = Event.objects.order_by("received_at")
    assert stored[0].headers["User-Agent"] == "NetServer-Webhook/11"
    assert stored[0].received_at < stored[1].received_at < stored[2].received_at
    assert stored[0].remote_addr == "127.0.0.1"


def test_a_retry_that_is_spooled_too_makes_no_second_event(post, connect, database_away):
    connect(signals.ticket_changed, nothing)
    sent = body()
    with database_away():
        post(sent)
        post(sent)
    call_command("superoffice_dispatch", verbosity=0)
    assert Event.objects.count() == Redelivery.objects.count() == ReceiverRun.objects.count() == 1


def test_what_nobody_signed_is_not_spooled(post, database_away, directory):
    with database_away():
        assert post(body(), secret="wrong").status_code == 401
        assert post(body(), secret=None).status_code == 401
    assert list(directory.iterdir()) == []


def test_signed_but_unreadable_is_spooled_and_kept_whole(post, database_away):
    sent = b"unreadable \n" * 500
    with database_away():
        assert post(sent).status_code == 200
    list(deliveries.drain())
    rejection = Rejection.objects.get()
    assert (rejection.verified, bytes(rejection.body)) == (True, sent)


def test_neither_secrets_nor_signatures_are_on_the_disk(post, database_away):
    with database_away():
        response = post(body(), headers={"Cookie": "sessionid=abc", "Authorization": "Bearer abc"})
    signature = response.wsgi_request.headers["X-SuperOffice-Signature"]
    (file,) = files()
    for secret in (SECRET, signature, "sessionid", "Bearer"):
        assert secret.encode() not in file.read_bytes()


def test_only_the_servers_user_can_read_it(post, database_away):
    with database_away():
        post(body())
    for path in (spool.folder(), *files()):
        assert path.stat().st_mode & 0o077 == 0


def test_without_a_spool_the_answer_is_503(post, database_away):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET]}), database_away():
        assert post(body()).status_code == 503
        assert list(deliveries.drain()) == []
        assert spool.standing() == (0, None, 0, 0)


def test_a_directory_that_vanished_is_made_again(post, database_away, directory):
    spooled()
    shutil.rmtree(directory)
    assert list(deliveries.drain()) == []
    with database_away():
        assert post(body()).status_code == 200
    assert waiting() == 1


def test_a_place_that_can_be_no_directory_is_503_and_hurts_nobody_whom_the_database_serves(
    post, database_away, directory, caplog
):
    (directory / "file").touch()
    settings = {"SECRETS": [SECRET], "SPOOL_DIR": directory / "file"}
    with override_settings(SUPEROFFICE_HOOKS=settings):
        with database_away():
            assert post(body()).status_code == 503
        assert post(body()).status_code == 200
        assert list(deliveries.drain()) == []
        assert spool.standing().length == 0
    assert "The spool cannot be" in caplog.text


@pytest.mark.slow
def test_what_does_not_fit_on_the_disk_is_503_and_leaves_nothing(directory):
    """In a process whose files may not be longer than a body, as the kernel enforces it."""
    program = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    )
    ended = put_in_another_process(directory, program, count=1)
    assert "NotStored" in ended.stderr
    assert f"[Errno {errno.EFBIG}]" in ended.stderr
    assert list(spool.folder().iterdir()) == []


def test_what_a_process_that_died_has_begun_is_no_delivery_and_goes_in_time(directory):
    spooled(PrimaryKey=1)
    half = spool.folder() / f"{time.time_ns():020d}-half-99.part"
    old = spool.folder() / f"{time.time_ns() - 4000 * 10**9:020d}-old-99.part"
    for path in (half, old):
        path.write_bytes(b"{")
    list(deliveries.drain())
    assert numbers() == [1]
    assert (half.exists(), old.exists()) == (True, False)


# Standing -------------------------------------------------------------------------------------


def test_how_much_waits_and_for_how_long_is_known_without_making_anything(directory):
    assert spool.standing() == (0, None, 0, 0)
    assert list(directory.iterdir()) == []
    sent = [spooled(PrimaryKey=number) for number in range(3)]
    oldest = files()[0]
    hour_ago = f"{time.time_ns() - 3600 * 10**9:020d}"
    oldest.rename(oldest.with_name(hour_ago + oldest.name[20:]))
    standing = spool.standing()
    assert standing.length == 3
    assert timedelta(minutes=59) < standing.age < timedelta(minutes=61)
    assert sum(map(len, sent)) < standing.bytes == sum(path.stat().st_size for path in files())
    assert standing.set_aside == 0


# Several processes, several projects ----------------------------------------------------------


@pytest.mark.slow
def test_a_process_killed_between_storing_and_deleting_costs_a_redelivery_and_no_more(
    connect, directory
):
    connect(signals.ticket_changed, nothing)
    spooled()
    killed = run_in_another_process(
        directory,
        "import django; django.setup()\n"
        "import os, signal\n"
        "from superoffice_hooks.receiving import spool\n"
        "from superoffice_hooks.receiving import deliveries\n"
        "spool.done = lambda name: os.kill(os.getpid(), signal.SIGKILL)\n"
        "list(deliveries.drain())\n",
    )
    assert killed.returncode == -signal.SIGKILL
    assert (waiting(), Event.objects.count()) == (1, 1)
    call_command("superoffice_dispatch", verbosity=0)
    assert waiting() == 0
    assert Event.objects.count() == Redelivery.objects.count() == 1


@pytest.mark.slow
def test_several_processes_fill_it_without_loss(directory):
    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(put_in_another_process, directory, "", 20) for _ in range(3)]
    assert [writer.result().stderr for writer in writers] == ["", "", ""]
    assert waiting() == 60
    list(deliveries.drain())
    assert Event.objects.count() == 60
    assert Redelivery.objects.count() == 0


def test_several_that_drain_at_once_store_nothing_twice():
    for number in range(40):
        spooled(PrimaryKey=number)
    together = threading.Barrier(4)
    drained: list[Any] = []

    def drain() -> None:
        together.wait()
        drained.extend(event.primary_key for event in deliveries.drain())
        connection.close()

    threads = [threading.Thread(target=drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while waiting():  # SQLite has one writer, and whoever waited too long has stopped
        pause.end()
        drained.extend(event.primary_key for event in deliveries.drain())
    assert sorted(drained) == list(range(40))
    assert Redelivery.objects.count() == 0


def test_a_disk_without_locks_is_drained(monkeypatch):
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.EBADF, "as on NFS, for a file that is open for reading")

    spooled(PrimaryKey=7)
    monkeypatch.setattr("fcntl.flock", flock)
    assert len(list(deliveries.drain())) == 1
    assert (numbers(), waiting()) == ([7], 0)


def test_nobody_waits_for_who_waits_for_the_database(post, monkeypatch):
    spooled(PrimaryKey=1)
    began, go_on = threading.Event(), threading.Event()
    record = deliveries.record

    def hang(delivery):
        began.set()
        go_on.wait(20)
        return record(delivery)

    def drain() -> None:
        list(deliveries.drain())
        connection.close()

    monkeypatch.setattr(deliveries, "record", hang)
    thread = threading.Thread(target=drain)
    thread.start()
    began.wait(10)
    before = time.monotonic()
    spooled(PrimaryKey=2)
    assert waiting() == 2
    monkeypatch.setattr(deliveries, "record", record)
    list(deliveries.drain())
    assert time.monotonic() - before < 10
    assert numbers() == [2]
    go_on.set()
    thread.join()
    assert numbers() == [2, 1]


def test_two_projects_that_share_a_directory_do_not_drain_each_other(monkeypatch):
    spooled(PrimaryKey=1)
    ours = connections.databases["default"]
    with monkeypatch.context() as patch:
        patch.setitem(connections.databases, "default", {**ours, "NAME": "theirs"})
        assert spool.standing().length == 0
        assert list(deliveries.drain()) == []
        spooled(PrimaryKey=2)
        assert spool.standing().length == 1
    list(deliveries.drain())
    assert numbers() == [1]


def test_a_project_whose_database_moves_keeps_its_spool(monkeypatch):
    spooled(PrimaryKey=1)
    moved = {**connections.databases["default"], "HOST": "elsewhere", "PORT": "1", "USER": "new"}
    monkeypatch.setitem(connections.databases, "default", moved)
    assert spool.standing().length == 1


# What cannot be read or stored ----------------------------------------------------------------


def without(key: str):
    def change(content: bytes) -> bytes:
        line, _, sent = content.partition(b"\n")
        head = json.loads(line)
        del head[key]
        return json.dumps(head).encode() + b"\n" + sent

    return change


DAMAGES = {
    "empty": lambda content: b"",
    "zeros": lambda content: b"\0" * len(content),
    "head no JSON": lambda content: b"{" + content,
    "head nested": lambda content: b"[" * 100_000 + b"\n",
    "head a list": lambda content: b"[]\n",
    "head no text": lambda content: b"\xff" + content,
    "bad time": lambda content: content.replace(b'"received_at": "2', b'"received_at": "x'),
    "headers no text": lambda content: content.replace(b'"headers": {', b'"headers": {"a": 1', 1),
    "headers a list": lambda content: content.replace(b'"headers": {}', b'"headers": []', 1),
    "unknown key": lambda content: content.replace(b'"endpoint"', b'"end"', 1),
    "no time": without("received_at"),
    "no endpoint": without("endpoint"),
    "cut": lambda content: content[:-1],
    "grown": lambda content: content + b"x",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_cannot_be_read_is_set_aside_and_what_is_behind_it_goes_in(damage, caplog):
    for number in range(3):
        spooled(PrimaryKey=number)
    bad = files()[0]
    content = damage(bad.read_bytes())
    bad.write_bytes(content)
    list(deliveries.drain())
    list(deliveries.drain())
    assert numbers() == [1, 2]
    assert (waiting(), spool.standing().set_aside) == (0, 1)
    kept = spool.folder() / spool.SET_ASIDE / bad.name
    assert kept.read_bytes() == content
    (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert str(kept) in told.getMessage()


def test_what_was_set_aside_and_is_moved_back_is_tried_again():
    spooled(PrimaryKey=1)
    (file,) = files()
    good = file.read_bytes()
    file.write_bytes(b"")
    list(deliveries.drain())
    kept = spool.folder() / spool.SET_ASIDE / file.name
    kept.write_bytes(good)
    kept.rename(file)
    list(deliveries.drain())
    assert numbers() == [1]
    assert spool.standing() == (0, None, 0, 0)


def test_a_directory_among_the_files_is_passed_over_and_reported_once(caplog):
    spooled(PrimaryKey=1)
    (spool.folder() / f"{0:020d}-directory-0.delivery").mkdir()
    list(deliveries.drain())
    list(deliveries.drain())
    assert numbers() == [1]
    assert caplog.text.count("cannot be read from the spool") == 1


def test_what_makes_no_event_is_kept_as_a_rejection_and_what_is_behind_it_goes_in():
    spool.put(delivery(body(), endpoint="poison"))
    spooled(PrimaryKey=1)
    with refusing("superoffice_hooks_event"):
        list(deliveries.drain())
    assert numbers() == [1]
    assert (waiting(), Rejection.objects.get().verified) == (0, True)


def test_what_makes_neither_is_set_aside_once_another_one_was_taken(post):
    sent = body()
    with refusing("superoffice_hooks_event"), refusing("superoffice_hooks_rejection"):
        assert post(sent, url=POISON_URL).status_code == 200
        list(deliveries.drain())
        assert (waiting(), spool.standing().set_aside) == (1, 0)
        spooled(PrimaryKey=1)
        list(deliveries.drain())
    assert numbers() == [1]
    assert (waiting(), spool.standing().set_aside) == (0, 1)
    (kept,) = (spool.folder() / spool.SET_ASIDE).iterdir()
    assert kept.read_bytes().endswith(b"\n" + sent)


def test_many_that_make_neither_do_not_hold_up_who_came_later():
    for _ in range(35):
        spool.put(delivery(body(), endpoint="poison"))
    spooled(PrimaryKey=1)
    with refusing("superoffice_hooks_event"), refusing("superoffice_hooks_rejection"):
        for _ in range(10):
            list(deliveries.drain())
    assert numbers() == [1]
    assert (waiting(), spool.standing().set_aside) == (0, 35)


def test_a_file_that_cannot_be_deleted_is_stored_once_and_what_is_behind_it_goes_in(monkeypatch):
    for number in range(3):
        spooled(PrimaryKey=number)
    first = files()[0]
    unlink = Path.unlink

    def refuse(path, missing_ok=False):
        if path == first:
            raise OSError(errno.ENOSPC, "No space left on device")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    for _ in range(3):
        list(deliveries.drain())
    assert numbers() == [0, 1, 2]
    assert Redelivery.objects.count() == 0
    assert files() == [first]


# The spool of older versions ------------------------------------------------------------------


@pytest.fixture
def old_file(directory) -> Path:
    path: Path = directory / sqlite.FILE_NAME
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute(
            "CREATE TABLE delivery (id INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL,"
            " body BLOB NOT NULL, headers TEXT NOT NULL, remote_addr TEXT,"
            " received_at TEXT NOT NULL, signed INTEGER NOT NULL)"
        )
    return path


def old_row(path: Path, number: int, **values: object) -> None:
    row = {
        "endpoint": "default",
        "body": body(PrimaryKey=number),
        "headers": '{"User-Agent": "NetServer"}',
        "remote_addr": "127.0.0.1",
        "received_at": "2026-01-02T03:04:05+00:00",
        "signed": 1,
        **values,
    }
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("INSERT INTO delivery VALUES (NULL, ?, ?, ?, ?, ?, ?)", list(row.values()))


def test_what_an_older_version_spooled_is_drained_once(old_file):
    for number in range(3):
        old_row(old_file, number)
    list(deliveries.drain())
    list(deliveries.drain())
    assert numbers() == [0, 1, 2]
    assert Redelivery.objects.count() == 0
    event = Event.objects.first()
    assert event.headers == {"User-Agent": "NetServer"}
    assert event.received_at.isoformat() == "2026-01-02T03:04:05+00:00"
    old_row(old_file, 3)  # by a process of that version which still runs
    list(deliveries.drain())
    assert numbers() == [0, 1, 2, 3]


@pytest.mark.parametrize("values", [{"headers": "no JSON"}, {"received_at": "yesterday"}], ids=str)
def test_the_body_of_an_older_row_counts_whatever_is_wrong_beside_it(old_file, values):
    old_row(old_file, 1, **values)
    old_row(old_file, 2)
    list(deliveries.drain())
    assert numbers() == [1, 2]


@pytest.mark.parametrize("value", ["5", "1.5", "x'ff00fe'", "CAST(x'ff00fe' AS TEXT)"])
@pytest.mark.parametrize("column", ["endpoint", "body", "headers", "remote_addr", "received_at"])
def test_an_older_row_blocks_no_other_whatever_its_columns_have(old_file, column, value):
    """SQLite keeps values of any type in any column, and a damaged file any bytes."""
    old_row(old_file, 1)
    with closing(sqlite3.connect(old_file)) as made, made:
        made.execute(f"UPDATE delivery SET {column} = {value}")  # noqa: S608
    old_row(old_file, 2)
    list(deliveries.drain())
    pause.end()
    list(deliveries.drain())
    assert 2 in numbers()
    kept = Event.objects.count() + Rejection.objects.count() + spool.standing().set_aside
    assert kept + spool.standing().length == 2


def test_an_older_file_that_is_no_database_is_kept_under_another_name(directory, caplog):
    content = b"this is no database " * 500
    (directory / sqlite.FILE_NAME).write_bytes(content)
    spooled(PrimaryKey=1)
    list(deliveries.drain())
    list(deliveries.drain())
    assert numbers() == [1]
    (kept,) = directory.glob(f"{sqlite.FILE_NAME}.damaged-*")
    assert kept.read_bytes() == content
    assert caplog.text.count("is no spool") == 1


def test_an_older_file_that_is_empty_is_no_trouble(directory, caplog):
    (directory / sqlite.FILE_NAME).touch()
    assert list(deliveries.drain()) == []
    assert caplog.text == ""


def test_an_older_file_without_a_column_is_kept_too(directory, old_file):
    old_row(old_file, 1)
    with closing(sqlite3.connect(old_file)) as made:
        made.execute("ALTER TABLE delivery RENAME COLUMN body TO other")
    assert list(deliveries.drain()) == []
    (kept,) = directory.glob(f"{sqlite.FILE_NAME}.damaged-*")
    with closing(sqlite3.connect(kept)) as left:
        assert left.execute("SELECT count(*) FROM delivery").fetchone() == (1,)


def test_an_older_file_that_somebody_writes_to_is_left_for_the_next_time(old_file):
    old_row(old_file, 1)
    with closing(sqlite3.connect(old_file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert list(deliveries.drain()) == []
    list(deliveries.drain())
    assert numbers() == [1]
