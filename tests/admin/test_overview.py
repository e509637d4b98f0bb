"""The overview: each figure right, and a click away from what it counts, for whoever may see it."""

import re
import uuid
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from superoffice_hooks import signals, spool
from superoffice_hooks.models import Dispatcher, Event, Rejection
from superoffice_hooks.notification import Delivery
from superoffice_hooks.watching import OVERDUE_SECONDS, Window, dispatching_problems, now

from ..conftest import body
from .conftest import EVENTS, logged_in, raises
from .page import Page

pytestmark = pytest.mark.django_db

OVERVIEW = f"{EVENTS}overview/"
INDEX = "/admin/superoffice_hooks/"
HOSTILE = "<script>alert(1)</script>\"'&]]>"


def rows(page: Page, heading: str) -> list[str]:
    """The rows of the table under a heading, each as the text that is read out."""
    table = page.html.partition(f'<h2 id="{heading}-heading"')[2].partition("</section>")[0]
    found = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
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
    hour = Window.latest().until - timedelta(hours=1)
    Event.objects.filter(pk=event.pk).update(received_at=hour - timedelta(hours=hours))


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
        assert page.text.count("No event in the last 48 hours.") == 2
        for sentence in (
            "No event named its changed fields in the last 48 hours.",
            "No event is pending.",
            "No receiver failed in the last 48 hours.",
            "No delivery was refused in the last 48 hours.",
        ):
            assert sentence in page.text
        assert rows(page, "endpoints") == ["default never never"]
        assert drawings(page) == []

    def test_what_is_older_than_the_window_is_not_counted(self, event, viewer):
        move(event(), 48)
        page = Page.get(viewer, OVERVIEW)
        assert page.text.count("No event in the last 48 hours.") == 2

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
        assert earlier.endswith(" 1 0 1 0 0 0")
        assert this_hour.endswith(" 3 0 2 0 0 1")
        start = timezone.localtime(Window.latest().until - timedelta(hours=1))
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
        assert re.search(r"The busiest hour was .* 1 skipped\. The figures are", words)
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


class TestEventsByName:
    def test_each_name_has_its_events_and_its_failed_ones(self, event, connect, viewer):
        connect(signals.sale_sold, raises)
        for name in ("sale.sold", "sale.sold", "sale.sold", "contact.changed"):
            event(name)
        move(event("sale.sold"), 48)
        page = Page.get(viewer, OVERVIEW)
        assert rows(page, "names") == ["sale.sold 3 3", "contact.changed 1 0"]
        assert page.click("sale.sold").cells("event_name") == ["sale.sold"] * 3
        assert page.click("contact.changed").cells("event_name") == ["contact.changed"]

    def test_the_failed_ones_are_a_click_away(self, event, connect, viewer):
        connect(signals.ticket_changed, lambda event, **kwargs: 1 // event.primary_key)
        event(PrimaryKey=0)
        for _ in range(2):
            event(PrimaryKey=1)
        page = Page.get(viewer, OVERVIEW)
        assert rows(page, "names") == ["ticket.changed 3 1"]
        link = re.findall(r'<a href="([^"]*status__exact=failed[^"]*name=[^"]*)">1</a>', page.html)
        assert Page.get(viewer, link[0].replace("&amp;", "&")).cells("record") == ["ticket 0"]

    def test_an_event_without_a_name_is_found_by_that(self, post, event, viewer):
        event()
        post(b"{}")
        page = Page.get(viewer, OVERVIEW)
        assert rows(page, "names") == ["(no name) 1 0", "ticket.changed 1 0"]
        assert page.click("(no name)").cells("event_name") == ["(no name)"]

    def test_rare_names_are_counted_together(self, event, viewer, monkeypatch):
        monkeypatch.setattr("superoffice_hooks.admin.overview.MOST", 1)
        for name in ("sale.sold", "sale.sold", "contact.changed", "person.changed"):
            event(name)
        assert rows(Page.get(viewer, OVERVIEW), "names") == ["sale.sold 2 0", "other names 2"]


def test_changed_fields_lead_to_the_events_that_changed_them(event, viewer):
    event("ticket.changed", Changes=["Priority", "title"])
    event("ticket.created", Changes=["title"])
    event("sale.changed", Changes=["priority"])
    move(event("ticket.changed", Changes=["priority"]), 48)
    page = Page.get(viewer, OVERVIEW)
    assert rows(page, "fields") == ["ticket.title 2", "sale.priority 1", "ticket.priority 1"]
    assert page.click("ticket.title").cells("event_name") == ["ticket.created", "ticket.changed"]
    assert page.click("sale.priority").cells("event_name") == ["sale.changed"]
    assert page.click("ticket.priority").cells("event_name") == ["ticket.changed"]


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

    def test_many_are_not_counted_to_the_end(self, event, viewer, monkeypatch):
        monkeypatch.setattr(now, "MOST_PENDING", 2)
        monkeypatch.setattr("superoffice_hooks.watching.MOST_PENDING", 2)
        for _ in range(3):
            event()
        Event.objects.update(status="pending", next_attempt_at=timezone.now())
        assert "2 events or more are pending." in Page.get(viewer, OVERVIEW).text


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

    @pytest.fixture
    def dispatcher(self) -> Dispatcher:
        seen = Dispatcher.of_this_process(Dispatcher.Kind.COMMAND, 4)
        seen.say()
        return seen

    def test_dispatchers_are_shown_with_their_lanes(self, viewer, dispatcher):
        page = Page.get(viewer, OVERVIEW)
        (row,) = rows(page, "dispatching")
        assert row.startswith(f"{dispatcher} superoffice_dispatch 4 0 20")
        assert "No event is due." in page.text
        assert 'class="superoffice-warning"' not in content(page)

    def test_where_nobody_dispatches_it_says_since_when_in_the_words_of_the_command(
        self, event, viewer, dispatcher
    ):
        event()
        overdue = timezone.now() - timedelta(seconds=OVERDUE_SECONDS + 60)
        Dispatcher.objects.update(seen_at=overdue)
        Event.objects.update(status="pending", next_attempt_at=overdue)
        page = Page.get(viewer, OVERVIEW)
        problems = dispatching_problems()
        assert len(problems) == 2
        # The seconds have moved on.
        assert "1 event is due, the oldest for 36" in page.text
        assert problems[1] in page.text
        assert "1 event is due." in page.text
        assert "The longest due since 20" in page.text
        assert "A dispatcher was last seen 20" in page.text

    def test_many_are_not_counted_to_the_end(self, event, viewer, monkeypatch):
        monkeypatch.setattr(now, "MOST_PENDING", 2)
        monkeypatch.setattr("superoffice_hooks.watching.MOST_PENDING", 2)
        for _ in range(3):
            event()
        Event.objects.update(status="pending", next_attempt_at=timezone.now())
        assert "2 events or more are due." in Page.get(viewer, OVERVIEW).text

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


def test_failing_receivers_lead_to_the_events_they_failed_for(event, connect, viewer):
    connect(signals.sale_sold, raises)
    for _ in range(2):
        event("sale.sold")
    page = Page.get(viewer, OVERVIEW)
    (row,) = rows(page, "failures")
    assert row.startswith("tests.admin.conftest.raises 2 2 20")
    link = urlsplit(page.links["tests.admin.conftest.raises"])
    assert link.path == EVENTS
    assert parse_qs(link.query) == {"receiver": ["tests.admin.conftest.raises"]}


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
    assert page.click("signature wrong").cells("reason_word") == ["signature wrong"] * 2


def test_endpoints_have_their_last_delivery_and_their_last_test(post, event, viewer):
    assert post(body("test")).status_code == 200
    tested = Event.objects.get()
    move(tested, 30 * 24)
    event()
    page = Page.get(viewer, OVERVIEW)
    (row,) = rows(page, "endpoints")
    assert re.fullmatch(r"default \S+ \S+ \(0.minutes ago\) \S+ \S+ \(.* ago\)", row)
    tested.refresh_from_db()
    assert f"{timezone.localtime(tested.received_at):%Y-%m-%d %H:%M:%S}" in row
    assert page.click("default").cells("event_name") == ["ticket.changed", "test"]


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
    page = Page.get(viewer, OVERVIEW)
    assert "<script>alert" not in page.html
    for heading in ("endpoints", "failures", "rejections", "names", "fields"):
        section = page.html.partition(f'id="{heading}-heading"')[2].partition("</section>")[0]
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in section
    assert len(drawings(page)) > 3
    assert page.click(f"{HOSTILE}.y").cells("event_name") == [f"{HOSTILE}.y"]
    assert page.click(f"{HOSTILE}.{HOSTILE}").cells("event_name") == [f"{HOSTILE}.x"]


def test_thirty_events_take_as_many_queries_as_three(event, post, connect, viewer):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert Page.get(viewer, OVERVIEW).status == 200
        return len(captured)

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
    assert queries() == few


def test_the_page_needs_no_script(event, viewer):
    event()
    page = Page.get(viewer, OVERVIEW)
    assert drawings(page)
    assert "<script" not in content(page)


def test_no_style_is_where_a_content_security_policy_forbids_it(event, viewer):
    event()
    assert " style=" not in content(Page.get(viewer, OVERVIEW))
