"""Replays: who, why, which, and what came out."""

import pytest

from superoffice_hooks import replaying, signals
from superoffice_hooks.models import Replay

from .conftest import REPLAYS, logged_in, raises
from .page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def replay(event, connect) -> Replay:
    """A replay of two events, of which one failed."""
    connect(signals.sale_sold, raises)
    connect(signals.sale_changed, lambda **kwargs: None)
    event("sale.sold", PrimaryKey=12)
    event("sale.changed", PrimaryKey=12)
    criteria = replaying.Criteria(entity="sale")
    planned = replaying.plan(
        criteria, who="superoffice_replay", why="<i>it was down</i>" + " x" * 99
    )
    return replaying.replay(planned)


def test_the_list_says_who_replayed_why_and_what_came_out(replay, viewer):
    page = Page.get(viewer, REPLAYS)
    assert page.cells("who") == ["superoffice_replay"]
    assert page.cells("reason")[0].startswith("<i>it was down</i> x")
    assert [page.cells(count) for count in ("planned", "done", "failed")] == [["2"], ["1"], ["1"]]
    assert Page.get(viewer, f"{REPLAYS}?q=nobody").cells("who") == []


def test_the_page_has_the_runs_with_failed_ones_first(replay, viewer):
    page = Page.get(viewer, f"{REPLAYS}{replay.pk}/change/")
    assert "entity: sale" in page.text
    assert page.text.index("sale.sold 12") < page.text.index("sale.changed 12")
    assert "Traceback (most recent call last)" in page.text
    assert "<i>" not in page.html
    assert "failed after 2 attempts" in page.click("sale.sold 12").text


def test_who_may_not_view_events_gets_no_links_to_them(replay):
    browser = logged_in("audit", "view_replay", is_staff=True)
    page = Page.get(browser, f"{REPLAYS}{replay.pk}/change/")
    assert "sale.sold 12" in page.text
    assert "sale.sold 12" not in page.links


def test_the_lists_of_receivers_are_shown_where_a_replay_was_for_some(replay, viewer):
    some = replaying.plan(
        replaying.Criteria(), who="x", why="y", receivers=("service_desk.escalate",)
    )
    assert "service_desk.escalate" in Page.get(viewer, f"{REPLAYS}{some.pk}/change/").text
    assert "Receivers: all" in Page.get(viewer, f"{REPLAYS}{replay.pk}/change/").text
