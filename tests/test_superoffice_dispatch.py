"""``superoffice_dispatch``: what is due is dispatched, and the rest is left alone."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event

from .conftest import SECRET, body

pytestmark = pytest.mark.django_db

WORKER = override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("superoffice_dispatch", *arguments, stdout=out)
    return out.getvalue().strip()


def test_nothing_is_due():
    assert run() == "No event was due."


@WORKER
def test_everything_that_is_due_is_dispatched_whatever_the_batch(post, connect):
    calls = []
    connect(signals.ticket_changed, lambda event, **kwargs: calls.append(event.primary_key))
    for number in range(7):
        post(body(PrimaryKey=number))
    post(body("contact.changed"))
    assert run("--batch", "3") == "8 events were dispatched: 1 skipped, 7 succeeded."
    assert calls == list(range(7))
    assert run() == "No event was due."


def test_abandoned_events_are_taken_over_and_held_ones_are_not(post, connect):
    connect(signals.ticket_changed, lambda **kwargs: None)
    for number in range(2):
        post(body(PrimaryKey=number))
    now = timezone.now()
    Event.objects.filter(primary_key=0).update(status="running", claimed_until=now)
    held_until = now + timedelta(hours=1)
    Event.objects.filter(primary_key=1).update(status="running", claimed_until=held_until)
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET]}):
        assert run() == "1 event was dispatched: 1 succeeded."
    assert Event.objects.get(primary_key=1).status == "running"


@pytest.mark.parametrize("batch", ["0", "-1"])
def test_a_batch_of_nothing_is_an_error(batch):
    with pytest.raises(CommandError, match="--batch"):
        run(f"--batch={batch}")


@WORKER
@pytest.mark.django_db(transaction=True)
def test_a_watcher_dispatches_what_comes_in_and_ends_with_the_event_in_hand(post):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings_for_watchers",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
    }
    command = [sys.executable, "-m", "django", "superoffice_dispatch", "--watch", "--interval=0.05"]
    watcher = subprocess.Popen(
        command,
        env=environment,
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for number in range(3):
            post(body(PrimaryKey=number))
            wait_until(lambda: not Event.objects.filter(status="pending").exists())
        watcher.send_signal(signal.SIGTERM)
        out, _ = watcher.communicate(timeout=30)
    finally:
        watcher.kill()
        watcher.wait()
    assert watcher.returncode == 0
    assert out.strip() == "3 events were dispatched: 3 skipped."


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
