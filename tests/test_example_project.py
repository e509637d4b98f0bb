"""The example project plays its part from start to end."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.early]

PROJECT = Path(__file__).parent.parent
NOT_OF_OUR_OWN = "follow_ticket succeeded, flag_ticket succeeded"
PRIORITIES = f"{NOT_OF_OUR_OWN}, note_priority succeeded"


@pytest.fixture(autouse=True)
def usual_database(tmp_path, monkeypatch):
    monkeypatch.setenv("DJANGO_DATABASE", str(tmp_path / "usual.sqlite3"))


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(PROJECT / "manage.py"), *arguments]


def environment(**changed: object) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "PYTHONIOENCODING": "utf-8",
        **{name: str(value) for name, value in changed.items()},
    }


def run_manage(*arguments: str, **changed: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=environment(**changed),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_demo_plays_superoffice_and_finds_everything_as_it_should_be():
    ended = run_manage("demo", "--once")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [re.split(r"\s{2,}", line) for line in ended.stdout.splitlines()]
    played = [row[:-1] for row in rows if row[-1] in {"✓", "yes"}]
    assert played == [
        ["test, for the new webhook", "200", "event (skipped)", "none", "0"],
        ["ticket.created", "200", "event (succeeded)", "open_ticket succeeded", "0"],
        ["ticket.changed", "200", "event (succeeded)", PRIORITIES, "47"],
        ["ticket.changed, retry 1", "200", "redelivery", PRIORITIES, "47"],
        ["ticket.changed, priority alone", "200", "event (succeeded)", PRIORITIES, "2"],
        ["ticket.changed, by our robot", "200", "event (succeeded)", NOT_OF_OUR_OWN, "2"],
        ["list.category.softdeleted", "200", "event (succeeded)", "withdraw_item succeeded", "6"],
        ["ticket.changed, wrongly signed", "401", "rejection (signature wrong)", "none", "0"],
        ["sale.sold, without a rate", "200", "event (failed)", "pay_commission gave_up", "3"],
        [
            "sale.sold, replayed after the fix",
            "-",
            "event (succeeded)",
            "pay_commission gave_up, pay_commission succeeded",
            "3",
        ],
        ["webhook, subscribed", "-", "webhook (Active)", "watch Active, exit code 0", "0"],
        ["ticket.changed, refused nine times", "-", "webhook (TooManyErrors)", "none", "0"],
        [
            "webhook, noticed to be stopped",
            "-",
            "webhook (TooManyErrors)",
            "watch TooManyErrors, exit code 1",
            "0",
        ],
        ["webhook, restored", "-", "webhook (Active)", "watch Active, exit code 0", "0"],
    ]
    assert "All 14 scenes ended as they should." in ended.stdout


def test_the_demo_fails_if_anything_is_not_as_it_should_be(tmp_path):
    (tmp_path / "narrow.py").write_text(
        "from example_project.settings import *\nSUPEROFFICE_HOOKS['MAX_BODY_BYTES'] = 700\n"
    )
    ended = run_manage("demo", "--once", DJANGO_SETTINGS_MODULE="narrow", PYTHONPATH=tmp_path)
    assert ended.returncode == 1
    # The 47 fields make ticket.changed longer than the others.
    said = [line for line in ended.stderr.splitlines() if not line.startswith("The webhook of")]
    assert said == [
        "CommandError: 3 of 14 scenes did not end as they should:",
        f"  ticket.changed: expected 200, event (succeeded), {PRIORITIES}, 47;"
        " found 413, rejection (body too large), none, 0",
        f"  ticket.changed, retry 1: expected 200, redelivery, {PRIORITIES}, 47;"
        " found 413, rejection (body too large), none, 0",
        "  ticket.changed, wrongly signed: expected 401, rejection (signature wrong), none, 0;"
        " found 413, rejection (body too large), none, 0",
    ]


def test_the_demo_says_why_its_server_does_not_start():
    ended = run_manage("demo", "--once", "--skip-checks", SUPEROFFICE_SECRET="")
    assert ended.returncode == 1
    assert "The server did not start. It printed:" in ended.stderr
    assert "superoffice_hooks.E001" in ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_the_demo_serves_until_it_is_ended_and_can_be_played_again(tmp_path):
    database = tmp_path / "kept.sqlite3"
    for played_before in (False, True):
        with subprocess.Popen(
            command("demo"),
            env=environment(DJANGO_DATABASE=database),
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ) as demo:
            assert demo.stdout
            printed = "".join(takewhile(lambda line: not line.startswith("Ctrl-C"), demo.stdout))
            try:
                host, port = re.findall(r"http://([\d.]+):(\d+)/admin/\n", printed)[0]
                socket.create_connection((host, int(port))).close()
                [line] = re.findall(r"in another terminal:\n  (.*)\n", printed)
                sent = subprocess.run(
                    shlex.split(line), env=environment(), capture_output=True, check=False
                )
            finally:
                demo.terminate()
        assert b"1 arrived and 0 got lost" in sent.stdout
        assert "All 14 scenes ended as they should." in printed
        assert bool(re.search(r"ticket\.created +200 +redelivery", printed)) is played_before
        assert demo.returncode == 128 + signal.SIGTERM
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))


def test_the_demo_has_a_weekend_in_which_much_went_wrong():
    ended = run_manage("demo", "--weekend", "--once", "--events", "600")
    assert ended.returncode == 0, ended.stderr
    assert "600 events are written" in ended.stdout


CARRY_ON = """
from example_project.desk import weekend
from superoffice_hooks.models import Replay
from superoffice_hooks.replay import running
weekend.fill(500)
stalled = Replay.objects.filter(finished_at=None)
stalled.update(claim=None, claimed_until=None)
replay = running.replay(stalled.get())
print(replay.planned, replay.done + replay.failed + replay.skipped + replay.busy)
"""


def test_the_stalled_replay_of_the_weekend_does_what_it_planned_once_it_is_carried_on(tmp_path):
    database = tmp_path / "weekend.sqlite3"
    run_manage("migrate", DJANGO_DATABASE=database)
    ended = run_manage("shell", "-c", CARRY_ON, DJANGO_DATABASE=database)
    assert ended.returncode == 0, ended.stderr
    planned, tried = ended.stdout.split()[-2:]
    assert planned == tried


def test_the_demo_leaves_events_that_are_there_alone(tmp_path):
    database = tmp_path / "kept.sqlite3"
    run_manage("migrate", DJANGO_DATABASE=database)
    written = "from example_project.desk import weekend; weekend.fill(500)"
    assert run_manage("shell", "-c", written, DJANGO_DATABASE=database).returncode == 0
    ended = run_manage("demo", "--weekend", "--events", "600", DJANGO_DATABASE=database)
    assert ended.returncode == 1
    assert "has events already" in ended.stderr


def test_the_demo_is_not_for_production():
    ended = run_manage("demo", "--once", DJANGO_DEBUG="0", DJANGO_SECRET_KEY="k" * 50)
    assert ended.returncode == 1
    assert "not for production" in ended.stderr


@pytest.mark.parametrize(
    ("option", "complaint"),
    [("--port=70000", "There is no port 70000"), ("--host=192.0.2.1", "no address of this")],
)
def test_the_demo_refuses_what_cannot_be_served_on(option, complaint):
    ended = run_manage("demo", "--once", option)
    assert ended.returncode == 1
    assert complaint in ended.stderr


def test_the_demo_refuses_a_port_that_is_taken(live_server):
    port = live_server.url.rpartition(":")[2]
    ended = run_manage("demo", "--once", "--port", port)
    assert ended.returncode == 1
    assert f"Port {port} is taken" in ended.stderr


def test_its_models_and_migrations_agree():
    assert run_manage("makemigrations", "--check", "--dry-run").returncode == 0


def test_it_passes_its_own_checks():
    ended = run_manage("check", "--fail-level", "WARNING")
    assert ended.returncode == 0, ended.stderr
