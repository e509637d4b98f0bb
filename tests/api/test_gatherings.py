"""Events that wait to be handed to a receiver together, and those that were."""

import pytest

from ..copies import copies
from ..gathered import call, gathering, of_record
from .asking import WHY, ask
from .conftest import API

pytestmark = pytest.mark.django_db

SYNC = "desk.sync"


def test_an_event_says_what_it_has_joined(viewer, event):
    stored = event()
    row = gathering(SYNC, stored, **of_record(stored))
    told = viewer.read(f"events/{stored.pk}/")
    assert (told["status"], told["stage"], told["finished_at"]) == ("waiting", None, None)
    (run,) = told["runs"]
    assert (run["outcome"], run["with_event"]) == ("joined", None)
    assert run["gathering"]["id"] == row.pk
    assert run["gathering"].keys() == {"id", "quiet_at", "call_by", "next_attempt_at"}
    assert run["gathering"]["quiet_at"] == run["gathering"]["next_attempt_at"]


def test_an_event_says_with_which_other_it_went(viewer, event):
    older, newer = event(), event()
    call(gathering(SYNC, older, newer, **of_record(older)), newer)
    for stored in (older, newer):
        (run,) = viewer.read(f"events/{stored.pk}/")["runs"]
        assert (run["outcome"], run["with_event"]) == ("succeeded", newer.pk)
        assert run["gathering"] is None


def test_a_gathering_that_has_just_ended_is_none(viewer, event):
    stored = event()
    gathering(SYNC, stored).delete()
    (run,) = viewer.read(f"events/{stored.pk}/")["runs"]
    assert (run["outcome"], run["gathering"]) == ("joined", None)


@pytest.mark.parametrize("query", [{"status": "waiting"}, {"receiver": SYNC, "outcome": "joined"}])
def test_what_waits_can_be_filtered(viewer, event, query):
    event()
    stored = event()
    gathering(SYNC, stored)
    assert [row["id"] for row in viewer.rows("events/", **query)] == [stored.pk]


def test_to_have_joined_is_no_failure(viewer, event):
    gathering(SYNC, event())
    assert viewer.rows("events/", failing=SYNC) == []


def test_the_status_counts_what_waits_and_what_is_overdue(viewer, event):
    told = viewer.read("status/")
    nothing = {"gatherings": 0, "at_least": False, "due": 0, "overdue": 0, "oldest_due": 0}
    assert told["dispatching"]["waiting"] == nothing
    gathering(SYNC, event(), event())
    gathering("desk.due", event(), due_in=-60)
    gathering("desk.overdue", event(), due_in=-400)
    told = viewer.read("status/")
    waiting = told["dispatching"]["waiting"]
    assert (waiting["gatherings"], waiting["due"], waiting["overdue"]) == (3, 2, 1)
    assert 400 <= waiting["oldest_due"] < 430
    assert {"status": "waiting", "events": 4, "at_least": False} in told["statuses"]
    assert "gatherings" in told["verdict"]["findings"]
    assert any(problem.startswith("2 gatherings are due") for problem in told["problems"])


def test_more_than_are_counted_are_said_to_be_at_least_so_many(viewer, event):
    copies(gathering(SYNC, event()), 1000, receiver=lambda number: f"desk.{number}")
    waiting = viewer.read("status/")["dispatching"]["waiting"]
    assert (waiting["gatherings"], waiting["at_least"]) == (1000, True)


def test_a_replay_leaves_what_waits_to_its_dispatch(replayer, event):
    stored = event()
    gathering(SYNC, stored)
    told = ask(replayer, WHY, f"{API}events/{stored.pk}/replay/").json()
    assert (told["failed"], told["busy"]) == (1, 1)
