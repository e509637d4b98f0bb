"""Metrics, as a scrape gets them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client
from django.urls import path
from django.utils import timezone
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from superoffice_hooks.contrib.prometheus import counting, standing
from superoffice_hooks.contrib.prometheus.views import metrics
from superoffice_hooks.models import Dispatcher, Event, ReceiverRun
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.receiving import deliveries
from superoffice_hooks.receiving.pausing import pause
from superoffice_hooks.replay import running
from superoffice_hooks.replay.criteria import Criteria
from superoffice_hooks.signals import receiver_ran, ticket_changed

from .. import urls
from ..conftest import URL, body
from .called import gives_up, raises, succeeds, waits

TOKEN = "a token of the tests"
PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.django_db

urlpatterns = [
    *urls.urlpatterns,
    path("metrics/", metrics(token=TOKEN)),
    path("open-metrics/", metrics(token=None)),
]

Scraped = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Scraped:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def now() -> Scraped:
    """What the process exports."""
    return parsed(generate_latest(REGISTRY).decode())


class Growth:
    """By how much metrics have grown since."""

    def __init__(self) -> None:
        self.before = now()

    def of(self, name: str, **labels: str) -> float:
        key = (f"superoffice_hooks_{name}", frozenset(labels.items()))
        return now().get(key, 0) - self.before.get(key, 0)


@pytest.fixture
def grown() -> Iterator[Callable[..., float]]:
    """``grown(name, **labels)`` says by how much a metric has grown in the test."""
    counting.begin()
    standing.register()
    yield Growth().of
    counting.end()
    REGISTRY.unregister(standing.COLLECTOR)


@pytest.fixture
def gauge() -> Callable[[str], float]:
    """``gauge(name)`` is read from the database and the spool now."""
    registry = CollectorRegistry()
    standing.register(registry)

    def read(name: str, **labels: str) -> float:
        value = registry.get_sample_value(f"superoffice_hooks_{name}", labels)
        assert value is not None
        return value

    return read


class TestRuns:
    @pytest.mark.parametrize(
        ("receiver", "outcome"),
        [(succeeds, "succeeded"), (raises, "failed"), (gives_up, "gave_up"), (waits, "postponed")],
    )
    def test_are_counted_by_receiver_and_outcome(self, post, connect, grown, receiver, outcome):
        connect(ticket_changed, receiver)
        post(body())
        name = dotted_path(receiver)
        assert grown("runs_total", receiver=name, outcome=outcome) == 1
        assert grown("run_duration_seconds_count", receiver=name) == 1
        seconds = ReceiverRun.objects.get().duration.total_seconds()
        assert grown("run_duration_seconds_sum", receiver=name) == pytest.approx(seconds)

    def test_of_a_replay_are_counted(self, post, connect, grown):
        post(body())
        connect(ticket_changed, succeeds)
        running.replay(running.plan(Criteria(), who="rita", reason="tried"))
        assert grown("runs_total", receiver=dotted_path(succeeds), outcome="succeeded") == 1

    def test_that_another_process_has_recorded_are_not_counted_again(self, post, connect, grown):
        def is_overtaken(event, **kwargs):
            run = ReceiverRun.begin(event, path_of(is_overtaken), None)
            run.succeed()
            run.store()

        connect(ticket_changed, is_overtaken, atomic=False)
        post(body())
        assert ReceiverRun.objects.count() == 1
        assert grown("runs_total", receiver=path_of(is_overtaken), outcome="succeeded") == 0

    def test_a_mistake_of_what_hears_of_a_run_changes_nothing(self, post, connect, caplog):
        def stumbles(run, **kwargs):
            raise OSError("No space left on device")

        connect(receiver_ran, stumbles)
        connect(ticket_changed, succeeds)
        post(body())
        assert Event.objects.get().status == "succeeded"
        assert "No space left on device" in caplog.text


def path_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


class TestDeliveries:
    def test_are_counted_by_endpoint_and_result(self, post, grown):
        sent = body()
        post(sent)
        post(sent)
        post(b"[]")
        assert grown("deliveries_total", endpoint="default", result="event") == 1
        assert grown("deliveries_total", endpoint="default", result="redelivery") == 1
        assert grown("deliveries_total", endpoint="default", result="rejected") == 1
        assert grown("delivery_duration_seconds_count") == 3
        assert grown("rejections_total", reason="not readable") == 1

    def test_that_are_refused_make_no_labels_up(self, post, grown):
        post(body(), secret="another one, of somebody else")
        for number in range(3):
            post(body(), url=f"{URL}made-up-{number}/")
        assert grown("deliveries_total", endpoint="default", result="refused") == 1
        assert grown("deliveries_total", endpoint="", result="refused") == 3
        assert grown("rejections_total", reason="signature wrong") == 1
        assert grown("rejections_total", reason="unknown endpoint") == 3
        assert "made-up" not in generate_latest(REGISTRY).decode()

    def test_that_cannot_be_read_have_one_reason_whatever_their_mistake(self, post, grown):
        for broken in (b"{", b'{"a": nul}', b"\xff", b"[]"):
            post(broken)
        assert grown("rejections_total", reason="not readable") == 4

    def test_through_the_spool_are_counted_at_both_ends(self, post, grown, settings, tmp_path):
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "SPOOL_DIR": tmp_path}
        pause.begin()
        post(body())
        assert grown("deliveries_total", endpoint="default", result="spooled") == 1
        assert grown("spool_deliveries") == 1
        pause.end()
        list(deliveries.drain())
        assert grown("drained_total", result="event") == 1
        assert grown("deliveries_total", endpoint="default", result="event") == 0
        assert grown("spool_deliveries") == 0


class TestStanding:
    def test_says_what_is_due_and_for_how_long(self, post, gauge):
        for number in range(3):
            post(body(PrimaryKey=number))
        assert gauge("due") == gauge("pending") == gauge("oldest_due_seconds") == 0
        Event.objects.update(status="pending", next_attempt_at=minutes_ago(10), finished_at=None)
        Event.objects.filter(primary_key=1).update(next_attempt_at=minutes_ago(1))
        Event.objects.filter(primary_key=2).update(next_attempt_at=minutes_ago(-60))
        assert (gauge("pending"), gauge("due"), gauge("overdue")) == (3, 2, 1)
        assert gauge("oldest_due_seconds") == pytest.approx(600, abs=30)

    def test_says_who_dispatches(self, gauge):
        assert gauge("dispatcher_missing") == 1
        seen = Dispatcher.of_this_process(Dispatcher.Kind.COMMAND, 4)
        seen.hung = 1
        seen.note_seen()
        assert gauge("dispatchers", kind="command") == 1
        assert gauge("dispatchers", kind="web") == 0
        assert (gauge("lanes"), gauge("lanes_hung"), gauge("dispatcher_missing")) == (4, 1, 0)

    @pytest.mark.usefixtures("one_attempt")
    def test_says_what_failed(self, post, connect, gauge):
        connect(ticket_changed, raises)
        post(body())
        post(body())
        assert (gauge("failed"), gauge("failure_groups_open")) == (2, 1)

    def test_takes_a_bounded_number_of_queries(self, gauge, django_assert_num_queries):
        with django_assert_num_queries(2):
            list(standing.COLLECTOR.collect())

    def test_asks_nothing_before_the_first_scrape(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            standing.register(CollectorRegistry())

    @pytest.mark.django_db(transaction=True)
    def test_without_a_database_still_tells_what_is_in_the_spool(self, gauge, database_away):
        with database_away():
            registry = CollectorRegistry()
            standing.register(registry)
            scraped = parsed(generate_latest(registry).decode())
        names = {name for name, _ in scraped}
        assert "superoffice_hooks_spool_deliveries" in names
        assert "superoffice_hooks_due" not in names
        assert scraped["superoffice_hooks_database_up", frozenset()] == 0
        assert gauge("database_up") == 1


def minutes_ago(minutes: int) -> Any:
    return timezone.now() - timedelta(minutes=minutes)


@pytest.mark.urls(__name__)
class TestPage:
    def test_is_for_those_who_have_the_token(self, client):
        assert client.get("/metrics/").status_code == 401
        wrong = client.get("/metrics/", headers={"Authorization": "Bearer another"})
        assert wrong.status_code == 401
        assert wrong.headers["WWW-Authenticate"] == "Bearer"
        right = client.get("/metrics/", headers={"Authorization": f"Bearer {TOKEN}"})
        assert right.status_code == 200
        assert client.post("/open-metrics/").status_code == 405

    def test_an_empty_token_lets_nobody_in_by_mistake(self):
        for empty in ("", "  "):
            with pytest.raises(ValueError, match="empty"):
                metrics(token=empty)

    @pytest.mark.django_db(transaction=True)
    def test_a_scrape_over_http(self, live_server, post, connect, grown):
        connect(ticket_changed, succeeds)
        post(body())
        page = f"{live_server.url}/metrics/"
        answer = requests.get(page, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        assert answer.headers["Content-Type"].startswith("text/plain")
        scraped = parsed(answer.text)
        name = dotted_path(succeeds)
        labels = frozenset({("receiver", name), ("outcome", "succeeded")})
        assert scraped["superoffice_hooks_runs_total", labels] >= 1
        assert scraped["superoffice_hooks_database_up", frozenset()] == 1
        assert requests.get(page, timeout=10).status_code == 401

    def test_speaks_openmetrics_to_those_who_ask_for_it(self, grown):
        answer = Client().get(
            "/open-metrics/", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
        )
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert answer.content.endswith(b"# EOF\n")


class TestDocumentation:
    def exported(self) -> set[str]:
        registry = CollectorRegistry()
        standing.register(registry)
        counted = {
            f"{family.name}_total" if family.type == "counter" else family.name
            for family in REGISTRY.collect()
        }
        read = {family.name for family in registry.collect()}
        return {name for name in counted | read if name.startswith("superoffice_hooks_")}

    def test_names_each_metric_and_no_other(self, tmp_path):
        page = (PROJECT / "docs" / "monitoring.md").read_text(encoding="utf-8")
        told = re.findall(r"`(superoffice_hooks_\w+)`", page)
        assert sorted(told) == sorted(self.exported())

    def test_rules_ask_for_metrics_that_exist(self):
        rules = (PROJECT / "docs" / "deploy" / "prometheus-alerts.yaml").read_text()
        told = set(re.findall(r"superoffice_hooks_\w+", rules)) - {"superoffice_hooks"}
        assert len(told) > 8
        assert told <= self.exported()


DELIVERS = """
import django
from django.conf import settings
settings.INSTALLED_APPS += ["superoffice_hooks.contrib.prometheus"]
settings.SUPEROFFICE_HOOKS["LANES"] = 0
django.setup()
from tests.conftest import Poster, body
from django.test.utils import setup_test_environment
setup_test_environment()
assert Poster()(body()).status_code == 200
"""
SCRAPES = """
import django
from django.conf import settings
settings.INSTALLED_APPS += ["superoffice_hooks.contrib.prometheus"]
settings.ROOT_URLCONF = "tests.contrib.test_prometheus"
settings.ALLOWED_HOSTS = ["*"]
django.setup()
from django.test import Client
print(Client().get("/open-metrics/").content.decode())
"""
MIGRATES = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""


@pytest.mark.slow
def test_processes_of_a_machine_are_scraped_together(tmp_path):
    shared = tmp_path / "metrics"
    shared.mkdir()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": f"sqlite:///{tmp_path / 'metrics.sqlite3'}",
    }
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)

    def run(code: str, **more: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment | more,
            check=True,
            cwd=PROJECT,
        ).stdout

    run(MIGRATES)
    for _ in range(2):
        run(DELIVERS, PROMETHEUS_MULTIPROC_DIR=str(shared))
    text = run(SCRAPES, PROMETHEUS_MULTIPROC_DIR=str(shared))
    labels = frozenset({("endpoint", "default"), ("result", "event")})
    scraped = parsed(text)
    assert scraped["superoffice_hooks_deliveries_total", labels] == 2
    # What is read from the database is there once, however many processes there are.
    assert len(re.findall(r"^superoffice_hooks_due ", text, re.MULTILINE)) == 1
