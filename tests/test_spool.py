"""The spool: what the database cannot take now is on the disk before SuperOffice gets its 200."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from superoffice_hooks import signals, spool
from superoffice_hooks.models import Event, ReceiverRun, Redelivery, Rejection

from .conftest import SECRET, body
from .spooling import make_files

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def spool_file(tmp_path):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "SPOOL_DIR": str(tmp_path)}):
        yield tmp_path / spool.FILE_NAME


def waiting(spool_file: Path) -> int:
    with closing(sqlite3.connect(spool_file)) as file:
        return int(file.execute("SELECT count(*) FROM delivery").fetchone()[0])


def nothing(**kwargs: object) -> None:
    """A receiver."""


def test_what_comes_while_the_database_is_away_is_answered_200_and_drained_later(
    post, connect, database_away, spool_file
):
    connect(signals.ticket_changed, nothing)
    with database_away():
        for number in range(3):
            assert post(body(PrimaryKey=number)).status_code == 200
    assert waiting(spool_file) == 3
    assert post(body(PrimaryKey=3)).status_code == 200
    assert waiting(spool_file) == 0
    in_order = Event.objects.order_by("pk")
    assert [event.primary_key for event in in_order] == [3, 0, 1, 2]
    assert [event.status for event in in_order] == ["succeeded"] * 4
    assert ReceiverRun.objects.count() == 4


def test_the_command_drains_it_too(post, connect, database_away, spool_file):
    connect(signals.ticket_changed, nothing)
    with database_away():
        post(body())
    call_command("superoffice_dispatch", verbosity=0)
    assert waiting(spool_file) == 0
    assert Event.objects.get().status == "succeeded"


def test_the_command_drains_all_of_it_however_much(post, database_away, spool_file):
    with database_away():
        for _ in range(30):
            post(body())
    call_command("superoffice_dispatch", verbosity=0)
    assert waiting(spool_file) == 0
    assert Event.objects.count() == 30


def test_when_it_arrived_is_when_it_arrived(post, database_away, spool_file):
    with database_away():
        post(body(), headers={"User-Agent": "NetServer-Webhook/11", "X-SuperOffice-Retry": "2"})
        post(body())
    post(body())
    stored = Event.objects.order_by("received_at")
    assert stored[0].headers["User-Agent"] == "NetServer-Webhook/11"
    assert stored[0].received_at < stored[1].received_at < stored[2].received_at
    assert stored[0].remote_addr == "127.0.0.1"


def test_a_retry_that_is_spooled_too_makes_no_second_event(
    post, connect, database_away, spool_file
):
    connect(signals.ticket_changed, nothing)
    sent = body()
    with database_away():
        post(sent)
        post(sent)
    call_command("superoffice_dispatch", verbosity=0)
    assert Event.objects.count() == Redelivery.objects.count() == ReceiverRun.objects.count() == 1


def test_what_nobody_signed_is_not_spooled(post, database_away, spool_file):
    with database_away():
        assert post(body(), secret="wrong").status_code == 401
        assert post(body(), secret=None).status_code == 401
    assert not spool_file.exists()


def test_signed_but_unreadable_is_spooled_and_kept_whole(post, database_away, spool_file):
    sent = b"unreadable " * 500
    with database_away():
        assert post(sent).status_code == 200
    call_command("superoffice_dispatch", verbosity=0)
    rejection = Rejection.objects.get()
    assert (rejection.verified, bytes(rejection.body)) == (True, sent)


def test_neither_secrets_nor_signatures_are_in_the_file(post, database_away, spool_file):
    with database_away():
        response = post(body(), headers={"Cookie": "sessionid=abc", "Authorization": "Bearer abc"})
    signature = response.wsgi_request.headers["X-SuperOffice-Signature"]
    content = b"".join(path.read_bytes() for path in spool_file.parent.iterdir())
    for secret in (SECRET, signature, "sessionid", "Bearer"):
        assert secret.encode() not in content


def test_only_the_servers_user_can_read_it(post, database_away, spool_file):
    with database_away():
        post(body())
    assert spool_file.stat().st_mode & 0o077 == 0


def test_without_a_spool_the_answer_is_503(post, database_away):
    with database_away():
        assert post(body()).status_code == 503


def test_a_spool_that_cannot_be_written_is_503(post, database_away, tmp_path):
    nowhere = {"SECRETS": [SECRET], "SPOOL_DIR": tmp_path / "nowhere"}
    with override_settings(SUPEROFFICE_HOOKS=nowhere), database_away():
        assert post(body()).status_code == 503


def test_a_damaged_spool_is_503_and_hurts_nobody_whom_the_database_serves(
    post, database_away, spool_file, caplog
):
    spool_file.write_bytes(b"this is no database " * 500)
    with database_away():
        assert post(body()).status_code == 503
    assert post(body()).status_code == 200
    assert Event.objects.count() == 1
    assert "could not be drained" in caplog.text


@pytest.mark.slow
def test_a_full_disk_is_503(spool_file):
    """In a process that may not write files beyond a few blocks, as the kernel enforces it."""
    program = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40960, 40960))\n"
    )
    ended = put_in_another_process(spool_file, program, count=100)
    assert "NotStored" in ended.stderr
    assert 0 < waiting(spool_file) < 100


@pytest.mark.slow
def test_a_process_killed_between_storing_and_deleting_costs_a_redelivery_and_no_more(
    post, connect, database_away, spool_file
):
    connect(signals.ticket_changed, nothing)
    sent = body()
    with database_away():
        post(sent)
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import django; django.setup()\n"
            "import os, signal\n"
            "from superoffice_hooks import receiving, spool\n"
            "with spool.oldest() as delivery:\n"
            "    receiving.record(delivery)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n",
        ],
        env=environment(spool_file),
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert waiting(spool_file) == 1
    call_command("superoffice_dispatch", verbosity=0)
    assert waiting(spool_file) == 0
    assert Event.objects.count() == Redelivery.objects.count() == 1


@pytest.mark.slow
def test_several_processes_share_it_without_loss(post, connect, spool_file):
    connect(signals.ticket_changed, nothing)
    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(put_in_another_process, spool_file, "", 20) for _ in range(3)]
    assert [writer.result().stderr for writer in writers] == ["", "", ""]
    assert waiting(spool_file) == 60
    call_command("superoffice_dispatch", verbosity=0)
    assert Event.objects.count() == 60
    assert Redelivery.objects.count() == 0


@pytest.mark.slow
def test_processes_that_make_the_file_at_the_same_moment_wait_for_each_other(tmp_path):
    spawning = multiprocessing.get_context("spawn")
    together, failed = spawning.Barrier(4), spawning.SimpleQueue()
    processes = [
        spawning.Process(target=make_files, args=(tmp_path, together, failed)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert failed.empty()


def test_a_commit_is_on_the_disk_before_it_returns(spool_file):
    with closing(spool._connect(spool_file)) as file:
        assert file.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert file.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def put_in_another_process(
    spool_file: Path, before: str, count: int
) -> subprocess.CompletedProcess[str]:
    program = before + (
        "import django; django.setup()\n"
        "from django.utils import timezone\n"
        "from superoffice_hooks import spool\n"
        "from superoffice_hooks.notification import Delivery\n"
        "from tests.conftest import body\n"
        f"for number in range({count}):\n"
        "    spool.put(Delivery(endpoint='default', body=body(), headers={}, remote_addr=None,"
        " received_at=timezone.now(), signed=True))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment(spool_file),
        capture_output=True,
        text=True,
        check=False,
    )


def environment(spool_file: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings_for_watchers",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "TEST_SPOOL_DIR": str(spool_file.parent),
    }
