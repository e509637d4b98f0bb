"""Gatherings that wait: how many, and how many of them nobody has called in time."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from superoffice_hooks.models import Dispatcher, Event
from superoffice_hooks.reports import standing
from superoffice_hooks.reports.gatherings import MAX_GATHERINGS, Waiting, waiting
from superoffice_hooks.reports.stages import OVERDUE_SECONDS, Stage, stage

from ..copies import copies
from ..gathered import gathering

pytestmark = pytest.mark.django_db

SYNC = "desk.sync"


def test_without_any_there_is_nothing(event, django_assert_num_queries):
    assert waiting() == Waiting()
    event()
    with django_assert_num_queries(1):
        assert waiting() == (0, 0, 0, 0.0)


def test_those_that_wait_are_counted_by_when_they_are_due(event):
    for number, due_in in enumerate((30, -1, -OVERDUE_SECONDS - 60)):
        gathering(f"desk.{number}", event(), due_in=due_in)
    found = waiting()
    assert found[:3] == (3, 2, 1)
    assert OVERDUE_SECONDS + 60 <= found.oldest_due < OVERDUE_SECONDS + 90
    assert standing.dispatching().waiting[:3] == found[:3]


def test_one_without_a_time_has_ended(event):
    gathering(SYNC, event(), next_attempt_at=None)
    assert waiting().gatherings == 0


def test_of_some_events_only_what_they_have_joined_counts(event):
    mine, other = event(PrimaryKey=1), event(PrimaryKey=2)
    gathering(SYNC, mine, other)
    gathering("desk.other", other)
    assert waiting(Event.objects.filter(primary_key=1)).gatherings == 1
    assert waiting(Event.objects.filter(primary_key=2)).gatherings == 2
    assert waiting(Event.objects.filter(primary_key=3)) == Waiting()


def test_one_that_is_not_due_yet_has_been_due_for_no_time(event):
    gathering(SYNC, event(), due_in=30)
    assert waiting() == (1, 0, 0, 0.0)


def test_a_limit_bounds_what_is_read(event):
    first = gathering("desk.first", event(), due_in=-1)
    copies(first, MAX_GATHERINGS, receiver=lambda number: f"desk.{number}")
    assert waiting()[:2] == (MAX_GATHERINGS, MAX_GATHERINGS)


@pytest.mark.parametrize(
    ("due_in", "columns", "expected"),
    [
        (30, {}, Stage.QUEUED),
        (30, {"attempts": 1}, Stage.RETRY),
        (-OVERDUE_SECONDS - 1, {}, Stage.OVERDUE),
    ],
)
def test_it_has_the_stages_of_an_event(event, due_in, columns, expected):
    assert stage(gathering(SYNC, event(), due_in=due_in, **columns)) == expected


def test_the_check_of_the_command_says_what_is_overdue(event):
    Dispatcher.of_this_process(Dispatcher.Kind.COMMAND, 2).note_seen()
    gathering(SYNC, event(), due_in=-200)
    call_command("superoffice_dispatch", check=True, stdout=StringIO())
    with pytest.raises(CommandError, match=r"1 gathering is due, the oldest for 2\d\d seconds\."):
        call_command("superoffice_dispatch", check=True, max_age=100)
