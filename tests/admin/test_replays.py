"""Replays: who, why, which, and what came out."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from superoffice_hooks import signals
from superoffice_hooks.admin.criteria import in_words
from superoffice_hooks.models import Replay
from superoffice_hooks.replay import running

from .conftest import EVENTS, REPLAY, REPLAYS, logged_in, raises
from .page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def replay(event, connect) -> Replay:
    """A replay of two events, of which one failed."""
    connect(signals.sale_sold, raises)
    connect(signals.sale_changed, lambda **kwargs: None)
    event("sale.sold", PrimaryKey=12)
    event("sale.changed", PrimaryKey=12)
    criteria = running.Criteria(entity="sale")
    planned = running.plan(
        criteria, who="superoffice_replay", reason="<i>it was down</i>" + " x" * 99
    )
    return running.replay(planned)


def test_the_list_says_who_replayed_why_and_what_came_out(replay, viewer):
    page = Page.get(viewer, REPLAYS)
    assert page.cells("who") == ["superoffice_replay"]
    assert page.cells("short_reason")[0].startswith("<i>it was down</i> x")
    assert page.cells("done_of") == ["1 of 2, 1 failed"]
    assert Page.get(viewer, f"{REPLAYS}?q=nobody").cells("who") == []


@pytest.mark.usefixtures("one_attempt")
def test_the_page_has_the_runs_with_failed_ones_first(replay, viewer):
    page = Page.get(viewer, f"{REPLAYS}{replay.pk}/change/")
    assert "entity: sale" in page.text
    assert page.text.index("sale.sold 12") < page.text.index("sale.changed 12")
    assert "Traceback (most recent call last)" in page.text
    assert "<i>" not in page.html
    assert "failed after 1 attempt. It was replayed once." in page.click("sale.sold 12").text


@pytest.mark.usefixtures("one_attempt")
def test_who_may_not_view_events_gets_no_links_to_them(replay):
    browser = logged_in("audit", "view_replay", is_staff=True)
    page = Page.get(browser, f"{REPLAYS}{replay.pk}/change/")
    assert "sale.sold 12" in page.text
    assert "sale.sold 12" not in page.links


def test_the_lists_of_receivers_are_shown_where_a_replay_was_for_some(replay, viewer):
    some = running.plan(
        running.Criteria(), who="x", reason="y", receivers=("service_desk.escalate",)
    )
    assert "service_desk.escalate" in Page.get(viewer, f"{REPLAYS}{some.pk}/change/").text
    assert "Receivers: all" in Page.get(viewer, f"{REPLAYS}{replay.pk}/change/").text


def test_a_state_is_a_word(replay, viewer):
    waiting = running.plan(running.Criteria(), who="x", reason="y")
    waiting.release()
    page = Page.get(viewer, REPLAYS)
    assert page.cells("state_word") == ["waiting", "finished, 1 failed"]
    assert page.cells("done_of") == ["0 of 2", "1 of 2, 1 failed"]
    next(running.carry_on(waiting))
    waiting.cancel("bob")
    page = Page.get(viewer, f"{REPLAYS}{waiting.pk}/change/")
    assert "State: cancelled" in page.text
    assert "Cancelled by: bob" in page.text


@pytest.mark.parametrize(
    ("state", "whos"),
    [
        ("replays", ["running", "waiting"]),
        ("stalled", ["stalled"]),
        ("failed", ["failed"]),
        ("finished", ["well"]),
        ("cancelled", ["cancelled"]),
        ("<i>nonsense", ["cancelled", "well", "failed", "stalled", "running", "waiting"]),
    ],
)
def test_the_list_shows_those_of_a_state(viewer, state, whos):
    now = timezone.now()
    minute = timedelta(minutes=1)
    columns: dict[str, dict[str, Any]] = {
        "waiting": {},
        "running": {"claim": 7, "claimed_until": now + minute},
        "stalled": {"claim": 7, "claimed_until": now - minute},
        "failed": {"finished_at": now, "failed": 1},
        "well": {"finished_at": now},
        "cancelled": {"finished_at": now, "cancelled_by": "bob"},
    }
    for who, values in columns.items():
        Replay.objects.create(who=who, reason="a test", **values)
    assert Page.get(viewer, f"{REPLAYS}?state={state}").cells("who") == whos


@pytest.mark.parametrize(
    ("criteria", "words", "query"),
    [
        ({}, "all events", ""),
        ({"up_to": 7}, "all events", ""),
        ({"entity": "sale", "status": "failed"}, "status: failed", None),
        ({"name": "sale.*"}, "event name: sale.*", None),
        ({"tenant": "Default", "changed": ["sale_id"]}, "tenant: Default", None),
        ({"changed": ["a", "b"]}, "changed field: a or b", "-"),
        ({"changed_all": ["a", "b"]}, "changed field: a and b", "-"),
        ({"entity": "sale", "primary_key": 12}, "primary key: 12", None),
        ({"primary_key": 12}, "primary key: 12", None),
        ({"ids": [1, 2]}, "2 events that were chosen", None),
        ({"ids": list(range(1, 102))}, "101 events that were chosen", "-"),
        ({"event_ids": ["1fc5752a-6de8-412d-847a-12d5529a0ec6"]}, "event id: 1fc5752a", None),
        ({"since": "2020-01-01 00:00:00+00:00"}, "received at 2020-01-01 01:00:00 or later", None),
        ({"until": "3020-01-01 00:00:00+00:00"}, "received before 3020-01-01 01:00:00", None),
        ({"limit": 2}, "the oldest 2 of them", "-"),
        ({"unsuperseded": True}, "only events that are not superseded", None),
        ({"endpoint": "default"}, "endpoint: default", None),
        ({"webhook_name": "<i>CRM"}, "webhook: <i>CRM", None),
        ({"is_own": True}, "our own", None),
        ({"problems": False}, "without problems", None),
        ({"receiver": "a.b", "outcome": "failed"}, "receiver: a.b", None),
        ({"invented": "<i>later"}, '{"invented": "<i>later"}', "-"),
    ],
    ids=str,
)
def test_criteria_are_told_in_words_and_lead_to_their_events(event, viewer, criteria, words, query):
    event("sale.sold", PrimaryKey=12)
    row = Replay.objects.create(who="x", reason="y", criteria=criteria)
    page = Page.get(viewer, f"{REPLAYS}{row.pk}/change/")
    assert words in page.text
    assert "<i>" not in page.html
    link = "The events that meet the criteria now"
    assert (link in page.links) is (query != "-")
    if link in page.links:
        events = page.click(link)
        assert events.status == 200
        assert "?e=1" not in events.url
        found = len(events.cells("event_name"))
        assert query is None or found == 1
        known = running.select(running.Criteria.from_json(criteria)).count()
        assert "up_to" in criteria or found == known


def test_who_may_not_view_events_gets_no_link_to_the_criterias_events(replay):
    browser = logged_in("audit", "view_replay", is_staff=True)
    page = Page.get(browser, f"{REPLAYS}{replay.pk}/change/")
    assert "The events that meet the criteria now" not in page.links


def test_only_what_failed_is_said(event, viewer):
    event()
    row = running.plan(running.Criteria(), who="x", reason="y", only_failed=True)
    page = Page.get(viewer, f"{REPLAYS}{row.pk}/change/")
    assert "Receivers: all Only where the receiver's last run was no success" in page.text


def test_thirty_replays_take_as_many_queries_as_three(viewer):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert len(Page.get(viewer, REPLAYS).cells("who")) == Replay.objects.count()
        return len(captured)

    Replay.objects.bulk_create(Replay(who="x", reason="y") for _ in range(3))
    few = queries()
    Replay.objects.bulk_create(Replay(who="x", reason="y") for _ in range(27))
    assert queries() == few


def test_what_cannot_be_seen_is_written_out_in_its_runs(event, connect, replayer, one_attempt):
    def fails(**kwargs):
        raise ValueError("a\u202eb" + "x" * 300)

    connect(signals.any_event, fails)
    stored = event("ticket.a\u202eb")
    page = Page.get(replayer, f"{REPLAY}?ids={stored.pk}")
    assert "\u202e" not in page.html
    assert "ticket.a\\u202eb" in page.text
    page.submit("reason", reason="a\u202eb")
    page = Page.get(replayer, f"{REPLAYS}{Replay.objects.get().pk}/change/")
    runs = page.html[page.html.index("runs-heading") :]
    assert "\u202e" not in runs
    assert "ticket.a\\u202eb 527331" in page.text
    assert "ValueError: a\\u202eb" in page.text
    assert "\u202e" not in "".join(Page.get(replayer, REPLAYS).cells("short_reason"))


def test_a_name_from_outside_is_visible_in_the_tables_of_figures(event, viewer):
    event("ticket.a\u202eb", Changes=["c\u202ed"])
    page = Page.get(viewer, f"{EVENTS}traffic/")
    assert "\u202e" not in page.html
    assert "ticket.a\\u202eb" in page.text
    assert "c\\u202ed" in page.text


def test_a_word_of_the_criteria_is_in_the_language_of_the_reader(replay, viewer):
    criteria = running.Criteria(status="failed", outcome="gave_up", receiver="a.b")
    planned = running.plan(criteria, who="x", reason="y")
    page = Page.get(viewer, f"{REPLAYS}{planned.pk}/change/")
    assert "status: failed" in page.text
    assert "outcome: gave up" in page.text
    with translation.override("nb"):
        assert in_words(planned.criteria) == [
            "status: mislyktes",
            "mottaker: a.b",
            "utfall: ga opp",
        ]
