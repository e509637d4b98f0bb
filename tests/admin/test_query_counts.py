"""No page asks the database oftener because it has more to show."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Rejection, Replay
from superoffice_hooks.replay.running import Criteria, plan, replay

from ..conftest import body
from .conftest import EVENTS, REJECTIONS, REPLAYS, raises
from .page import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]


@pytest.fixture
def queries(viewer):
    """``queries(url)``: how many the page at this URL takes."""

    def count(url: str) -> int:
        # Content types are asked for once by each process.
        Page.get(viewer, url)
        with CaptureQueriesContext(connection) as captured:
            assert Page.get(viewer, url).status == 200
        return len(captured)

    return count


def and_more(post, connect, times: int) -> None:
    """Deliver one event again and replay it, so many times, each with a run that fails."""
    sent = json.loads(body(EventId="1fc5752a-6de8-412d-847a-12d5529a0ec6"))
    for number in range(times):
        names = [f"x_{other}" for other in range(number + 1)]
        post(json.dumps(sent | {"WebhookName": f"webhook {number}"}).encode())
        post(body(Changes=names, FieldValues=dict.fromkeys(names, number)))
        replay(plan(Criteria(), who="anna", reason="again"))


def test_the_page_of_an_event(post, connect, queries):
    connect(signals.any_event, raises)
    and_more(post, connect, 1)
    url = f"{EVENTS}{Event.objects.earliest('pk').pk}/change/"
    few = queries(url)
    and_more(post, connect, 5)
    event = Event.objects.earliest("pk")
    assert event.runs.count() > 5
    assert event.redeliveries.count() == 5
    assert queries(url) == few <= 12


def test_the_page_of_a_replay(post, connect, queries):
    connect(signals.any_event, raises)
    and_more(post, connect, 1)
    few = queries(f"{REPLAYS}{Replay.objects.latest('pk').pk}/change/")
    and_more(post, connect, 5)
    latest = Replay.objects.latest("pk")
    assert latest.runs.count() > 5
    assert queries(f"{REPLAYS}{latest.pk}/change/") == few <= 10
    assert queries(f"{REPLAYS}{latest.pk}/progress/") <= 8


def test_the_list_of_replays(post, connect, queries):
    and_more(post, connect, 2)
    few = queries(REPLAYS)
    and_more(post, connect, 10)
    assert queries(REPLAYS) == few <= 8


def test_the_page_of_a_rejection(post, queries):
    post(b"no JSON" * 1000)
    assert queries(f"{REJECTIONS}{Rejection.objects.get().pk}/change/") <= 8


def test_the_page_that_marks_an_event_as_handled(post, connect, replayer):
    connect(signals.any_event, raises)
    and_more(post, connect, 3)
    with CaptureQueriesContext(connection) as captured:
        page = Page.get(replayer, f"{EVENTS}{Event.objects.earliest('pk').pk}/handle/")
    assert page.status == 200
    assert len(captured) <= 8
