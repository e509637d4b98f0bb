"""What is still failed, by cause: five thousand failures of three bugs are three rows."""

import uuid

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, FailureGroup, ReceiverRun
from superoffice_hooks.reports import failure_groups
from superoffice_hooks.reports.failure_groups import open_groups

pytestmark = pytest.mark.django_db

BUGS = {"ConnectionError": 4000, "KeyError": 900, "ValueError": 100}
PATH = "tests.reports.test_failure_groups.receiver"


def receiver(**kwargs):
    """Works again."""


def fill(bugs: dict[str, int]) -> None:
    """Events that have failed, with their runs, as many for each bug."""
    now = timezone.now()
    for exception, count in bugs.items():
        group = FailureGroup.objects.create(
            fingerprint=exception, receiver=PATH, exception=exception, first_seen=now, last_seen=now
        )
        events = Event.objects.bulk_create(
            Event(
                event_id=uuid.uuid4(), name="ticket.changed", entity="ticket", action="changed",
                endpoint="default", received_at=now, payload={}, body=b"", status="failed",
            )
            for _ in range(count)
        )  # fmt: skip
        if not connection.features.can_return_rows_from_bulk_insert:
            events = list(Event.objects.order_by("-pk")[:count])
        ReceiverRun.objects.bulk_create(
            ReceiverRun(
                event=event, receiver=PATH, attempt=1, outcome="failed", started_at=now,
                group=group, counts_in_group=True,
            )
            for event in events
        )  # fmt: skip


def counts() -> dict[str, int]:
    return {row.group.exception: row.events for row in open_groups()}


def test_five_thousand_failures_of_three_bugs_are_three_rows_in_two_queries():
    fill(BUGS)
    with CaptureQueriesContext(connection) as queries:
        assert counts() == BUGS
    assert len(queries) == 2
    assert [row.events for row in open_groups(limit=2)] == sorted(
        (row.events for row in open_groups(limit=2)), reverse=True
    )


def test_a_group_that_is_muted_or_resolved_or_has_no_failure_left_is_not_among_them():
    fill({"ConnectionError": 2, "KeyError": 2, "ValueError": 2, "OSError": 1})
    muted, resolved, _, empty = FailureGroup.objects.order_by("pk")
    muted.mute(who="rita", reason="Known")
    resolved.resolve(who="rita", reason="Release 7")
    Event.objects.filter(runs__group=empty).handle(who="rita", reason="By hand")
    assert counts() == {"ValueError": 2}


def test_a_group_is_replayed_whole_and_alone(connect):
    fill({"KeyError": 30, "ValueError": 3})
    connect(signals.ticket_changed, receiver)
    group = FailureGroup.objects.get(exception="KeyError")
    call_command("superoffice_replay", f"--group={group.pk}", "--only-failed", verbosity=0)
    assert counts() == {"ValueError": 3}


def test_the_example_is_of_an_event_that_is_still_failed():
    fill({"KeyError": 3})
    group = FailureGroup.objects.get()
    newest = Event.objects.latest("pk")
    assert failure_groups.example(group).event == newest
    newest.handle(who="rita", reason="By hand")
    assert failure_groups.example(group).event != newest
    Event.objects.all().handle(who="rita", reason="By hand")
    assert failure_groups.example(group).event == newest
    ReceiverRun.objects.all().delete()
    assert failure_groups.example(group) is None


@pytest.mark.skipif(connection.vendor == "mysql", reason="MariaDB's plans are not promised")
def test_a_count_reads_the_index_and_not_the_table():
    fill({"KeyError": 3})
    # As if most runs were a success: a planner reads a small table whatever the index.
    runs = ReceiverRun.objects.filter(counts_in_group=True, group__in=[1]).values_list("group")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "superoffice_run_group" in runs.explain()
