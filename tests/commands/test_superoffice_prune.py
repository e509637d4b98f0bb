"""``superoffice_prune``: RETENTION and options say what goes, and it says what went."""

import os
import re
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun, Redelivery, Rejection

from ..conftest import SECRET, body
from ..copies import copies
from .test_superoffice_dispatch import wait_until
from .test_superoffice_replay import Terminal

pytestmark = pytest.mark.django_db

NOTHING = "Nothing was pruned: neither RETENTION nor any option has a period.\n"


def retention(**periods):
    return override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "RETENTION": periods})


def run(*arguments: str, **options) -> str:
    """What it says, with DATE for all dates."""
    stdout = StringIO()
    call_command("superoffice_prune", *arguments, stdout=stdout, **{"pause": 0, **options})
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE", stdout.getvalue())


def everything():
    """All that is stored."""
    models = (Event, ReceiverRun, Redelivery, Rejection)
    return {model: list(model.objects.order_by("pk").values()) for model in models}


@pytest.fixture
def ages(post, connect):
    """Four events of 0 to 30 days ago that succeeded; one event of 30 that failed; a rejection."""

    def receives(event, **kwargs):
        if event.tenant == "fails":
            raise RuntimeError("no")

    connect(signals.any_event, receives)
    now = timezone.now()
    for days, tenant in ((0, ""), (10, ""), (20, ""), (30, ""), (30, "fails")):
        post(body(ContextIdentifier=tenant))
        event = Event.objects.latest("pk")
        received_at = now - timedelta(days=days)
        Event.objects.filter(pk=event.pk).update(received_at=received_at, primary_key=days)
    post(b"no json")
    Rejection.objects.update(received_at=now - timedelta(days=30))


def left(**having) -> list[int]:
    """How many days old the events are that are there."""
    days = Event.objects.filter(**having).values_list("primary_key", flat=True)
    return sorted(number for number in days if number is not None)


@pytest.mark.usefixtures("one_attempt")
class TestPeriods:
    def test_by_default_everything_is_kept(self, ages):
        before = everything()
        assert run() == run("--dry-run") == NOTHING
        assert everything() == before

    @retention(bodies=None, events=None, failed=None, rejections=None)
    def test_none_is_for_ever(self, ages):
        assert run() == NOTHING

    @retention(bodies=5, events=timedelta(days=15), failed=25, rejections=29.5)
    def test_those_of_the_setting(self, ages):
        assert run() == (
            "Deleted 2 succeeded, skipped or handled events from before DATE.\n"
            "Deleted 1 failed event from before DATE.\n"
            "Deleted 0 replays from before DATE of which no receiver run is left.\n"
            "Deleted 0 failure groups from before DATE of which no receiver run is left.\n"
            "Emptied 1 event from before DATE of body, headers and tracebacks.\n"
            "Deleted 1 rejection from before DATE.\n"
        )
        assert left() == [0, 10]
        assert left(pruned_at=None) == [0]
        assert not Rejection.objects.exists()

    @pytest.mark.parametrize("typed", [True, False])
    def test_those_of_the_options_without_the_setting(self, ages, typed):
        options = {"bodies": "5d", "events": "3w", "failed": "25d", "rejections": "48h"}
        said = (
            run(*[word for what, period in options.items() for word in (f"--{what}", period)])
            if typed
            else run(**options)
        )
        assert "Deleted 1 succeeded, skipped or handled event from before DATE.\n" in said
        assert "Emptied 2 events" in said
        assert left() == [0, 10, 20]
        assert not Rejection.objects.exists()

    @retention(events=15, failed=15)
    def test_an_option_counts_more_than_the_setting_says_of_the_same(self, ages):
        run(events="25d")
        assert left() == [0, 10, 20]
        assert not Event.objects.filter(status="failed").exists()

    @retention(bodies=15)
    def test_the_moment_is_told_in_the_projects_time_zone(self, ages):
        stdout = StringIO()
        call_command("superoffice_prune", stdout=stdout)
        told = timezone.localtime(timezone.now() - timedelta(days=15))
        minutes = {f"{told - timedelta(minutes=m):%Y-%m-%d %H:%M}" for m in (0, 1)}
        assert any(minute in stdout.getvalue() for minute in minutes)

    @override_settings(USE_TZ=False)
    def test_without_time_zones(self):
        if connection.vendor == "postgresql":
            pytest.skip("its connection has a time zone already")
        assert "Deleted 0 failed events from before DATE.\n" in run(failed="1d")


class TestDryRun:
    @retention(bodies=5, events=15, failed=25, rejections=25)
    def test_it_says_what_the_real_one_does_then(self, ages):
        before = everything()
        said = run("--dry-run")
        assert everything() == before
        assert said.endswith("Nothing was changed.\n")
        promised = said.replace("Nothing was changed.\n", "")
        promised = promised.replace("Would delete", "Deleted").replace("Would empty", "Emptied")
        assert run() == promised
        assert "Deleted 2 succeeded, skipped or handled events" in promised


class TestMistakes:
    @pytest.mark.parametrize(
        ("what", "period"),
        [
            *[("events", period) for period in ("0d", "-1d", "forever", "1.5d", " ", "2026-05-19")],
            *[(what, "30") for what in ("bodies", "events", "failed", "rejections")],
        ],
    )
    def test_a_period_that_is_none(self, ages, what, period):
        with pytest.raises(CommandError, match=f"--{what} was given"):
            run(**{what: period})
        assert left() == [0, 10, 20, 30, 30]

    @pytest.mark.parametrize(
        ("option", "value"),
        [("batch", "0"), ("batch", "10001"), ("batch", "x"), ("pause", "-1"), ("pause", "1m")],
    )
    def test_a_number_that_is_none(self, option, value):
        with pytest.raises(CommandError, match=f"--{option} was given"):
            run(**{"events": "30d", option: value})

    @pytest.mark.parametrize(
        "wrong", [{"event": 1}, {"events": 0}, {"events": -3}, {"events": "1"}, {"failed": True}, 5]
    )
    def test_a_setting_that_makes_no_sense_deletes_nothing(self, ages, wrong):
        with (
            override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "RETENTION": wrong}),
            pytest.raises(CommandError, match="SUPEROFFICE_HOOKS: RETENTION"),
        ):
            run(events="1d")
        assert left() == [0, 10, 20, 30, 30]


class TestBatches:
    def test_of_one(self, ages):
        assert "Deleted 3 succeeded, skipped or handled events" in run(events="5d", batch=1)

    @pytest.mark.usefixtures("one_attempt")
    def test_it_pauses_after_each(self, ages, monkeypatch):
        pauses = []

        class Noting(threading.Event):
            def wait(self, timeout=None):
                # A thread that starts meanwhile has an Event too, and waits for it without a bound.
                if timeout is None:
                    return super().wait()
                pauses.append(timeout)
                return False

        monkeypatch.setattr(threading, "Event", Noting)
        run(events="5d", batch=2, pause="0.25")
        assert pauses == [0.25, 0.25]
        pauses.clear()
        run(bodies="1m", failed="5d", pause=None)
        assert len(pauses) == 1
        assert 0 < pauses[0] < 5


class TestProtected:
    @pytest.fixture
    def protected(self, ages):
        """The events of ten days ago and more are protected by rows of the project."""

        def forbid(instance, **kwargs):
            if instance.primary_key > 5:
                raise ProtectedError("no", {Group(pk=1)})

        pre_delete.connect(forbid, sender=Event)
        yield
        pre_delete.disconnect(forbid, sender=Event)

    def test_what_cannot_be_pruned_is_named_after_all_else_is_done(self, protected):
        stdout = StringIO()
        with pytest.raises(CommandError) as caught:
            call_command(
                "superoffice_prune",
                events="5d",
                bodies="1d",
                rejections="1d",
                pause=0,
                stdout=stdout,
            )
        assert "Deleted 0 succeeded, skipped or handled events" in stdout.getvalue()
        assert "Deleted 1 rejection from" in stdout.getvalue()
        keys = Event.objects.filter(status="succeeded", primary_key__gt=5).values_list(
            "pk", flat=True
        )
        assert str(caught.value) == "3 rows could not be pruned:" + "".join(
            f"\n  Event {key} is protected by auth.Group" for key in sorted(keys, reverse=True)
        )
        assert caught.value.returncode == 1

    def test_not_more_than_a_few_are_named(self, protected):
        copies(Event.objects.filter(status="succeeded", primary_key__gt=5).latest("pk"), 9)
        named = r"12 rows .*(\n  Event \d+ is .*){10}\n  and 2 more\Z"
        with pytest.raises(CommandError, match=named):
            run(events="5d", batch=1)


class TestProgress:
    def test_a_terminal_is_shown_progress(self, ages, capsys):
        pytest.importorskip("tqdm")
        run(events="5d", bodies="5d", batch=2, stderr=Terminal())
        captured = capsys.readouterr()
        assert "3/3" in captured.err
        assert captured.out == ""

    def test_a_file_is_not(self, ages, capsys):
        run(events="5d", stderr=StringIO())
        assert capsys.readouterr().err == ""


@pytest.mark.django_db(transaction=True)
class TestStopping:
    @pytest.fixture
    def started(self, ages):
        """It prunes one event, and would wait for a minute before the next."""
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings_for_watchers",
            "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        }
        options = ["--events=5d", "--batch=1", "--pause=60"]
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "superoffice_prune", *options],
            env=environment,
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.slow
    def test_it_ends_after_the_batch_in_hand_and_says_so(self, started, number):
        wait_until(lambda: left() == [0, 10, 20, 30])
        started.send_signal(number)
        said, _ = started.communicate(timeout=30)
        assert started.returncode == 0
        assert said.startswith("Deleted 1 succeeded, skipped or handled event from before ")
        assert said.endswith("Stopped; the next run goes on from here.\n")
        assert left() == [0, 10, 20, 30]

    def test_others_get_their_signal_handlers_back(self, ages):
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        run(events="5d")
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers

    def test_outside_of_the_main_thread_it_runs_without_any(self, ages):
        said = []

        def in_a_thread():
            said.append(run(events="5d"))
            connection.close()

        thread = threading.Thread(target=in_a_thread)
        thread.start()
        thread.join()
        assert said[0].startswith("Deleted 3 ")
