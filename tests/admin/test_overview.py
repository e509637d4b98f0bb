"""The overview: each figure right, and a click away from what it counts, for whoever may see it."""

import re
import uuid
from datetime import datetime, timedelta
from unittest.mock import patch
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from superoffice_hooks import signals
from superoffice_hooks.admin import EventAdmin, display
from superoffice_hooks.models import Dispatcher, Event, Rejection
from superoffice_hooks.receiving import spool
from superoffice_hooks.replay.running import Criteria, plan, replay
from superoffice_hooks.reports.stages import OVERDUE_SECONDS
from superoffice_hooks.reports.windows import Window
from superoffice_hooks.wire.notification import Delivery

from ..conftest import body
from ..copies import copies
from .conftest import EVENTS, logged_in, raises
from .page import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]

OVERVIEW = f"{EVENTS}overview/"
TRAFFIC = f"{EVENTS}traffic/"
RECEIVERS = f"{EVENTS}receivers/"
INDEX = "/admin/superoffice_hooks/"
HOSTILE = "<script>alert(1)</script>\"'&]]>"


def rows(page: Page, heading: str) -> list[str]:
    """The rows of the table under a heading, each as the text that is read out."""
    table = page.html.partition(f'<h2 id="{heading}-heading"')[2].partition("</section>")[0]
    found = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    found = [row.replace("<wbr>", "") for row in found]
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in found]


def content(page: Page) -> str:
    """What is between the admin's own header and footer."""
    start = page.html.index('id="content-main"')
    return str(page.html[start : page.html.index("<footer", start)])


def drawings(page: Page) -> list[ElementTree.Element]:
    """The page's drawings of ours; each must be well-formed XML."""
    return [
        ElementTree.fromstring(drawing)  # noqa: S314  (our own)
        for drawing in re.findall(r"<svg.*?</svg>", content(page), re.DOTALL)
    ]


def parts(page: Page) -> list[str]:
    """The statuses drawn in the chart, from the first hour to the last, from the bottom up."""
    chart = next(drawing for drawing in drawings(page) if drawing.get("role") == "img")
    drawn = [part.get("class", "") for part in chart.iterfind("{*}g/{*}rect")]
    return [found.removeprefix("superoffice-part superoffice-part-") for found in drawn]


def move(event: Event, hours: float) -> None:
    """Let the event have been received so many hours before the present hour began."""
    at = present_hour() - timedelta(hours=hours)
    Event.objects.filter(pk=event.pk).update(received_at=at)


def present_hour() -> datetime:
    """When the present hour began."""
    *_, hour = Window.latest().hours()
    return hour


class TestTheWayThere:
    def test_the_apps_index_and_the_list_lead_to_the_overview(self, viewer):
        for url in (INDEX, EVENTS):
            page = Page.get(viewer, url).click("Overview")
            assert (page.url, page.status) == (OVERVIEW, 200)

    def test_the_index_of_who_may_not_view_events_does_not(self):
        browser = logged_in("audit", "view_rejection", is_staff=True)
        page = Page.get(browser, INDEX)
        assert page.status == 200
        assert "Rejections" in page.links
        assert "Overview" not in page.links

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("anonymous", 302), ("clerk", 403), ("viewer", 200), ("replayer", 200)],
    )
    def test_it_is_for_those_who_may_view_events(self, request, name, expected):
        assert request.getfixturevalue(name).get(OVERVIEW).status_code == expected

    def test_rejections_are_neither_shown_to_nor_read_for_who_may_not_view_them(self, post):
        post(b"{}", secret=None)
        browser = logged_in("eva", "view_event", is_staff=True)
        with CaptureQueriesContext(connection) as captured:
            page = Page.get(browser, OVERVIEW)
        assert "Rejections by reason" not in page.text
        assert "signature missing" not in page.text
        table = Rejection._meta.db_table
        assert not any(table in query["sql"] for query in captured)


class TestNothing:
    def test_is_said_in_words(self, viewer):
        page = Page.get(viewer, OVERVIEW)
        for sentence in (
            "No event in this time.",
            "No event is pending.",
            "No event of this time is still failed.",
            "No delivery was refused in this time.",
        ):
            assert sentence in page.text
        assert rows(page, "endpoints") == ["default never"]
        assert drawings(page) == []

    def test_what_is_older_than_the_window_is_not_counted(self, event, viewer):
        move(event(), 48)
        assert "No event in this time." in Page.get(viewer, OVERVIEW).text

    def test_no_endpoint_is_said_in_words_too(self, viewer):
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": "tests.nowhere.secrets_of"}):
            assert "No endpoint has had a delivery." in Page.get(viewer, OVERVIEW).text


class TestEventsPerHour:
    def test_are_stacked_by_what_became_of_them(self, event, connect, viewer):
        connect(signals.sale_sold, raises)
        connect(signals.ticket_changed, lambda **kwargs: None)
        move(event("sale.sold"), 47)
        move(event("contact.changed"), 1)
        event("sale.sold")
        event("ticket.changed")
        page = Page.get(viewer, OVERVIEW)
        assert parts(page) == ["failed", "skipped", "failed", "succeeded"]
        assert "4 events: 1 succeeded 1 skipped 2 failed" in page.text

    def test_each_status_leads_to_its_events(self, event, connect, viewer):
        connect(signals.sale_sold, raises)
        for name in ("sale.sold", "contact.changed", "person.changed"):
            event(name)
        move(event("sale.sold"), 48)
        page = Page.get(viewer, OVERVIEW)
        assert page.click("1 failed").cells("event_name") == ["sale.sold"]
        assert page.click("2 skipped").cells("event_name") == ["person.changed", "contact.changed"]
        assert len(page.click("3 events").cells("event_name")) == 3

    def test_the_figures_stand_in_a_table_hour_by_hour(self, event, connect, viewer):
        connect(signals.sale_sold, raises)
        for name in ("sale.sold", "contact.changed", "person.changed"):
            event(name)
        move(event("ticket.changed"), 1)
        page = Page.get(viewer, OVERVIEW)
        earlier, this_hour = rows(page, "hours")
        assert earlier.endswith(" 1 0 1 0 0 0 0")
        assert this_hour.endswith(" 3 0 2 0 0 0 1")
        start = timezone.localtime(present_hour())
        assert this_hour.startswith(start.strftime("%Y-%m-%d %H:00 C"))
        assert page.click("3").cells("event_name") == [
            "person.changed",
            "contact.changed",
            "sale.sold",
        ]

    def test_an_hour_leads_to_its_events_from_border_to_border(self, event, viewer):
        second = 1 / 3600
        for name, hours in (("a.b", 2), ("c.d", 1 + second), ("e.f", 1), ("g.h", 2 + second)):
            move(event(name), hours)
        page = Page.get(viewer, OVERVIEW)
        assert page.click("2").cells("event_name") == ["c.d", "a.b"]

    def test_the_drawing_is_named_and_described_in_words(self, event, viewer):
        event()
        chart = next(drawing for drawing in drawings(Page.get(viewer, OVERVIEW)))
        told = {element.get("id"): element.text or "" for element in chart.iter()}
        title, words = (told[name] for name in chart.get("aria-labelledby", "").split())
        assert chart.get("role") == "img"
        assert title == "Events per hour, stacked by status"
        assert re.search(r"The busiest time was .* 1 skipped\. The figures are", words)
        assert "1 skipped" in chart.findtext("{*}g/{*}title")

    def test_numbers_are_localised_where_people_read_them_and_nowhere_else(self, event, viewer):
        first = event()
        Event.objects.bulk_create(
            Event(
                endpoint="default",
                event_id=uuid.uuid4(),
                name=first.name,
                received_at=first.received_at,
                payload={},
                body=b"",
                status="failed",
            )
            for _ in range(1233)
        )
        with override_settings(USE_THOUSAND_SEPARATOR=True, LANGUAGE_CODE="de"):
            translation.activate("de")
            page = Page.get(viewer, OVERVIEW)
        assert "1.234 Ereignisse" in page.text
        assert "1.233 fehlgeschlagen" in page.text
        for drawing in drawings(page):
            for element in drawing.iter():
                for name in ("x", "y", "width", "height", "dx", "dy", "cx", "cy", "r"):
                    assert re.fullmatch(r"-?\d+(\.\d+)?", element.get(name, "0"))
        assert "1.000" in [text.text for text in drawings(page)[0].iterfind("{*}text")]


class TestPending:
    def test_the_oldest_is_shown_with_its_age_and_its_next_attempt(self, event, viewer):
        for number, hours in ((1, 1), (2, 3), (3, 2)):
            stored = event(PrimaryKey=number)
            move(stored, hours)
            due = timezone.now() + timedelta(hours=1)
            Event.objects.filter(pk=stored.pk).update(status="pending", next_attempt_at=due)
        page = Page.get(viewer, OVERVIEW)
        assert "3 events are pending." in page.text
        assert "The oldest ticket.changed ticket 2 Received" in page.text
        assert re.search(r"Received \S+ \S+ \(3 hours.* ago\) Next attempt \d{4}-", page.text)
        assert len(page.click("3 events are pending").cells("event_name")) == 3
        oldest = Event.objects.get(primary_key=2)
        assert f'<a href="{EVENTS}{oldest.pk}/change/">' in page.html

    def test_many_are_not_counted_to_the_end(self, event, viewer):
        copies(event(), 1000)
        Event.objects.update(status="pending", next_attempt_at=timezone.now())
        assert "1000 events or more are pending." in Page.get(viewer, OVERVIEW).text


def spooled() -> Delivery:
    return Delivery(
        endpoint="default",
        body=b"{}",
        headers={},
        remote_addr=None,
        received_at=timezone.now(),
        signed=True,
    )


class TestDispatching:
    """Who dispatches, what is due, what is in the spool, and what is wrong with all that."""

    def test_dispatchers_are_shown_with_their_lanes(self, viewer, dispatcher):
        page = Page.get(viewer, OVERVIEW)
        (row,) = rows(page, "dispatching")
        assert row.startswith(f"{dispatcher} superoffice_dispatch 4 0 20")
        assert "No event is due." in page.text
        assert 'class="superoffice-warning"' not in content(page)

    def test_where_nobody_dispatches_it_says_since_when_and_what_to_do(
        self, event, viewer, dispatcher
    ):
        event()
        overdue = timezone.now() - timedelta(seconds=OVERDUE_SECONDS + 60)
        Dispatcher.objects.update(seen_at=overdue)
        Event.objects.update(status="pending", next_attempt_at=overdue)
        page = Page.get(viewer, OVERVIEW)
        assert "Something has been due since 20" in page.text
        assert f"No dispatcher has been seen since {display.at(overdue)}. Run" in page.text
        assert "1 event is due." in page.text
        assert "The longest due since 20" in page.text
        assert "A dispatcher was last seen 20" in page.text

    def test_many_are_not_counted_to_the_end(self, event, viewer):
        copies(event(), 1000)
        Event.objects.update(status="pending", next_attempt_at=timezone.now())
        assert "1000 events or more are due." in Page.get(viewer, OVERVIEW).text

    def test_what_is_in_the_spool_is_shown(self, viewer, settings, tmp_path):
        settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "SPOOL_DIR": tmp_path}
        assert "In the spool of this machine 0 deliveries wait" in Page.get(viewer, OVERVIEW).text
        for _ in range(3):
            spool.put(spooled())
        spool.set_aside(next(spool.waiting()), "nobody can read it")
        text = Page.get(viewer, OVERVIEW).text
        assert "In the spool of this machine 2 deliveries wait (" in text
        assert "The oldest there since 20" in text
        assert "1 delivery can never be stored and needs a person." in text


class TestStillFailed:
    """Causes, and the events that are still failed because of them."""

    def test_each_leads_to_these_events_and_to_their_replay(self, event, connect, replayer):
        connect(signals.sale_sold, raises)
        for number in (1, 2):
            event("sale.sold", PrimaryKey=number)
        move(event("sale.sold", PrimaryKey=3), 50)
        page = Page.get(replayer, OVERVIEW)
        (row,) = rows(page, "failures")
        assert row.startswith("ValueError: no &lt;b&gt;such&lt;/b&gt; ticket tests.admin.conftest.")
        assert " 2 20" in row
        assert row.endswith("Replay")
        assert page.click("2").cells("record") == ["sale 2 Default", "sale 1 Default"]
        assert "Replay 2 events" in page.click("Replay").text

    def test_what_a_replay_has_put_right_or_a_person_handled_counts_no_more(
        self, event, connect, viewer
    ):
        errors = [ValueError("once"), ValueError("twice"), None]

        def unlucky(**kwargs):
            if error := errors.pop(0):
                raise error

        connect(signals.sale_sold, unlucky)
        handled, _mended = event("sale.sold"), event("sale.sold")
        handled.handle(who="anna", reason="Called")
        assert len(rows(Page.get(viewer, OVERVIEW), "failures")) == 1
        replay(plan(Criteria(status="failed"), who="anna", reason="It is mended"))
        Dispatcher.of_this_process(Dispatcher.Kind.COMMAND, 4).note_seen()
        page = Page.get(viewer, OVERVIEW)
        assert "No event of this time is still failed." in page.text
        assert "All is well." in page.text

    def test_why_the_causes_make_more_than_the_failed_events_is_said_where_it_is_so(
        self, event, connect, viewer
    ):
        several = "Events that failed for several causes count for each of them."
        retried = "Events that are to be retried count, too."

        def also(**kwargs):
            raise KeyError("another cause")

        connect(signals.any_event, raises)
        first = event("sale.sold")
        text = Page.get(viewer, OVERVIEW).text
        assert several not in text
        assert retried not in text
        connect(signals.sale_sold, also)
        event("ticket.changed")
        event("sale.sold")
        page = Page.get(viewer, OVERVIEW)
        # Three events, of which the last counts twice.
        assert "3 failed" in page.text
        assert [row.split(" 20")[0][-1] for row in rows(page, "failures")] == ["3", "1"]
        assert several in page.text
        assert retried not in page.text
        Event.objects.filter(pk=first.pk).update(
            status="pending", next_attempt_at=timezone.now() + timedelta(hours=1)
        )
        text = Page.get(viewer, OVERVIEW).text
        assert "2 failed" in text
        assert retried in text

    def test_of_another_user_no_more_is_shown_than_they_may_see(self, event, connect, viewer):
        connect(signals.any_event, raises)
        event("sale.sold", ContextIdentifier="Cust1")
        event("secret.changed", ContextIdentifier="Cust2")
        limited = Event.objects.filter(tenant="Cust1")
        with patch.object(EventAdmin, "get_queryset", lambda admin, request: limited):
            page = Page.get(viewer, OVERVIEW)
            (row,) = rows(page, "failures")
            assert "1 event has failed of 1 cause" in page.text
            assert "1 event: 1 failed" in page.text
            assert "secret" not in Page.get(viewer, TRAFFIC).text
            assert "tests.admin.conftest.raises 1 " in row
            assert page.click("1 event has failed of 1 cause").cells("event_name") == ["sale.sold"]


def test_rejections_are_counted_by_reason(post, viewer):
    for secret in ("a guess", "another", None):
        post(b"{}", secret=secret)
    Rejection.objects.create(
        received_at=timezone.now() - timedelta(hours=50),
        reason="signature wrong",
        verified=False,
        body=b"",
    )
    page = Page.get(viewer, OVERVIEW)
    wrong, missing = rows(page, "rejections")
    assert wrong.startswith("signature wrong 2 20")
    assert missing.startswith("signature missing 1 20")
    assert page.click("2").cells("reason_word") == ["signature wrong"] * 2


def test_endpoints_have_their_last_delivery(event, viewer):
    move(event("sale.sold"), 30 * 24)
    event()
    page = Page.get(viewer, OVERVIEW)
    (row,) = rows(page, "endpoints")
    assert re.fullmatch(r"default \S+ \S+ \(0.minutes ago\) as usual", row)
    assert page.click("default").cells("event_name") == ["ticket.changed", "sale.sold"]


def test_markup_in_what_was_sent_stays_text_and_the_drawings_well_formed(
    post, connect, viewer, monkeypatch
):
    monkeypatch.setattr(raises, "__qualname__", HOSTILE)
    connect(signals.any_event, raises)
    post(body(f"{HOSTILE}.x", Entity=HOSTILE, ContextIdentifier=HOSTILE, Changes=[HOSTILE]))
    Event.objects.create(
        endpoint=HOSTILE,
        event_id=uuid.uuid4(),
        name=f"{HOSTILE}.y",
        received_at=timezone.now(),
        next_attempt_at=timezone.now(),
        payload={},
        body=b"",
    )
    Rejection.objects.create(
        received_at=timezone.now(), endpoint=HOSTILE, reason=HOSTILE, verified=True, body=b""
    )
    for url, headings in (
        (OVERVIEW, ("endpoints", "failures", "rejections")),
        (TRAFFIC, ("names", "fields")),
        (RECEIVERS, ("receivers",)),
    ):
        page = Page.get(viewer, url)
        assert "<script>alert" not in page.html
        drawings(page)
        for heading in headings:
            section = page.html.partition(f'id="{heading}-heading"')[2].partition("</section>")[0]
            assert "&lt;script&gt;alert(1)&lt;/script&gt;" in section


@pytest.mark.parametrize("url", [OVERVIEW, TRAFFIC, RECEIVERS])
def test_thirty_events_take_as_many_queries_as_three(event, post, connect, viewer, url):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert Page.get(viewer, url).status == 200
        return len([query for query in captured if query["sql"].startswith("SELECT")])

    connect(signals.ticket_changed, raises)

    def more(count: int) -> None:
        for number in range(count):
            event(Changes=["id", f"x_{count}_{number}"])
            event(f"y_{count}_{number}.changed")
            post(b"{}", secret=f"{count}")
        due = timezone.now()
        Event.objects.filter(status="skipped").update(status="pending", next_attempt_at=due)

    more(3)
    few = queries()
    more(27)
    assert queries() == few <= 15


def test_the_page_needs_no_script(event, viewer):
    event()
    page = Page.get(viewer, OVERVIEW)
    assert drawings(page)
    assert "<script" not in content(page)


def test_no_style_is_where_a_content_security_policy_forbids_it(event, viewer):
    event()
    assert " style=" not in content(Page.get(viewer, OVERVIEW))
