"""The page of one event: everything about it, whatever was sent."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun, Replay
from superoffice_hooks.receivers import dotted_path

from ..conftest import SECRET, body
from .conftest import EVENTS, raises
from .page import Page

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        (
            "ticket.changed",
            {"Changes": ["id", "priority", "title"]},
            "Associate 37201 changed priority and 2 more fields of ticket 527331"
            " on 2018-04-24 10:13:02.",
        ),
        ("ticket.changed", {"Changes": ["id", "priority"]}, "changed priority and 1 more field of"),
        ("ticket.changed", {"Changes": ["priority"]}, "37201 changed priority of ticket 527331 on"),
        ("ticket.changed", {"Changes": []}, "Associate 37201 changed ticket 527331 on"),
        ("ticket.changed", {"Changes": ["id"]}, "Associate 37201 changed id of ticket 527331 on"),
        ("ticket.created", {"Changes": []}, "Associate 37201 created ticket 527331 on"),
        ("contact.softdeleted", {"PrimaryKey": 7}, "Associate 37201 deleted contact 7 on"),
        (
            "sale.sold",
            {"PrimaryKey": 18, "ChangedByAssociateId": None},
            "Somebody caused sale.sold of sale 18 on",
        ),
        ("", {}, "Associate 37201 caused an event without a name of a record on"),
    ],
)
def test_the_page_begins_with_what_happened_in_one_sentence(event, page_of, name, values, sentence):
    text = page_of(event(name, **values)).text
    assert sentence in text
    assert "It was received at 20" in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("succeeded", "and succeeded after 3 attempts."),
        ("failed", "and failed after 3 attempts."),
        ("skipped", "and was skipped because it was for no receiver."),
    ],
)
def test_the_sentence_has_words_for_every_status(event, page_of, status, words):
    stored = event()
    Event.objects.update(status=status, attempts=3)
    page = page_of(stored)
    assert words in page.text
    assert status in page.text


BEGUN = {"claim": 7, "attempts": 1, "begun_by": "web1 pid 42", "calling": "desk.follow"}


@pytest.mark.parametrize(
    ("due_in", "columns", "words", "status"),
    [
        (-2, {}, "and waits to be dispatched.", "Status: pending Attempts"),
        # Left to a queue of tasks, or parked until the event before it is finished.
        (200, {}, "and waits to be dispatched.", "Status: pending Attempts"),
        (200, {"claim": 7}, "and waits to be dispatched.", "Status: pending Attempts"),
        (-270, {}, "and waits to be dispatched.", "Status: pending Attempts"),
        (-301, {}, "and is overdue: nobody has dispatched it since 20", "pending overdue"),
        (60, {"attempts": 2}, "and is to be retried at 20", "pending to be retried"),
        (-2, {"attempts": 2}, "and waits to be dispatched.", "Status: pending Attempts"),
        (
            200,
            BEGUN | {"begun_at": timezone.now()},
            "and is being dispatched by web1 pid 42 since 20",
            "pending running",
        ),
        (
            -2,
            BEGUN | {"begun_at": timezone.now()},
            "waits to be dispatched. web1 pid 42 began an attempt at 20",
            "Status: pending Attempts",
        ),
        (
            -7200,
            BEGUN | {"begun_at": timezone.now()},
            "and is overdue: nobody has dispatched it since 20",
            "pending overdue",
        ),
    ],
)
def test_an_unfinished_event_says_what_it_waits_for(
    event, page_of, viewer, due_in, columns, words, status
):
    stored = event()
    due_at = timezone.now() + timedelta(seconds=due_in)
    Event.objects.update(status="pending", attempts=0, next_attempt_at=due_at)
    Event.objects.update(**columns)
    page = page_of(stored)
    assert words in page.text
    assert status in page.text
    (in_list,) = Page.get(viewer, EVENTS).cells("status_word")
    assert in_list == status.removeprefix("Status: ").removesuffix(" Attempts")


def test_who_began_the_attempt_and_with_which_receiver_is_shown(event, page_of):
    stored = event()
    columns = BEGUN | {"begun_at": timezone.now(), "deaths": 2}
    Event.objects.update(status="pending", next_attempt_at=timezone.now(), **columns)
    text = page_of(stored).text
    assert "Begun by: web1 pid 42" in text
    assert "Calling: desk.follow" in text
    assert "Deaths: 2" in text
    assert "2 times, a process or its database session ended while it dispatched only" in text


def test_a_test_is_called_a_test(post, page_of):
    post(b'{"Event": "test"}')
    assert "and was skipped because it is only a test." in page_of(Event.objects.get()).text


def test_the_page_shows_every_column(post, page_of):
    sent = body("y_car.changed", PrimaryKey=31, Changes=["x_Plate"], ChangedByAssociateId=88)
    post(sent, headers={"X-SuperOffice-Retry": "2", "User-Agent": "NetServer-Webhook/11"})
    stored = Event.objects.get()
    page = page_of(stored)
    for shown in (
        "y_car.changed", "y_car 31", "x_Plate", "Default", "88", "2018-04-24 10:13:02",
        "Name you provided", "skipped", "default", str(stored.event_id), "127.0.0.1",
        "X-SuperOffice-Retry: 2", "User-Agent: NetServer-Webhook/11", sent.decode(),
    ):  # fmt: skip
        assert shown in page.text
    assert '  "Changes": [\n    "x_Plate"\n  ]' in page.words_as_sent


def test_nothing_on_the_page_can_be_changed(event, superuser):
    page = Page.get(superuser, f"/admin/superoffice_hooks/event/{event().pk}/change/")
    (form,) = [form for form in page.forms if "event" in form.id]
    assert [name for name, _ in form.fields] == ["csrfmiddlewaretoken"]


def test_problems_are_named(post, page_of):
    post(body(PrimaryKey="many"))
    assert "PrimaryKey is not a 64-bit number." in page_of(Event.objects.get()).text


def test_no_changed_fields_means_unknown_and_the_page_says_so(event, page_of):
    assert "Unknown: the event names no changed fields." in page_of(event(Changes=[])).text


def test_redeliveries_are_shown_with_their_body_if_it_differs(post, page_of):
    sent = body(WebhookName="one")
    post(sent)
    post(sent, headers={"X-SuperOffice-Retry": "1"})
    post(sent.replace(b'"one"', b'"another one"') + b" " * 5000)
    page = page_of(Event.objects.get())
    assert "the same" in page.text
    assert '"WebhookName": "another one"' in page.text
    assert "The first 4096 of" in page.text


def test_an_error_is_shown_with_its_traceback_and_what_succeeded_with_none(event, connect, page_of):
    connect(signals.ticket_changed, raises)
    connect(signals.any_event, print_nothing)
    page = page_of(event())
    assert "ValueError: no <b>such</b> ticket" in page.text
    assert 'raise ValueError("no <b>such</b> ticket")' in page.text
    assert page.html.count("Traceback (most recent call last)") == 1
    assert "tests.admin.test_event_page.print_nothing" in page.text


def print_nothing(**kwargs):
    """A receiver that is content with everything."""


@pytest.mark.usefixtures("one_attempt")
def test_markup_in_a_delivery_is_text_on_the_page(post, connect, replayer):
    evil = "<script>alert('%s')</script>"
    sent = body(
        f"{evil}.x", ContextIdentifier=evil, WebhookName=evil, Entity=evil, Changes=[evil],
        FieldValues={evil: evil}, PrimaryKey=evil,
    )  # fmt: skip

    def fails(**kwargs):
        raise ValueError(evil)

    connect(signals.any_event, fails)
    post(sent, headers={"User-Agent": evil})
    post(sent + b"<script>")
    url = f"/admin/superoffice_hooks/event/{Event.objects.get().pk}/"
    page = Page.get(replayer, f"{url}change/")
    confirmation = page.click("Replay")
    after = confirmation.submit("reason", reason=evil)
    assert "1 event replayed" in after.text
    for shown in (page, confirmation, after):
        assert "<script>alert" not in shown.html
        assert evil in shown.text


def test_what_is_no_text_and_what_cannot_be_seen_is_written_out(event, page_of):
    stored = event()
    Event.objects.update(body=b'{"a": "\xff\x00\x1b[31m \xe2\x80\xae"}\r\n')
    assert r'{"a": "\xff\x00\x1b[31m \u202e"}\r' in page_of(stored).text


@pytest.mark.parametrize(
    "filling",
    [["<&'\"" * 50_000], list(range(120_000)), "x" * 1_000_000],
    ids=["markup", "list", "word"],
)
def test_a_body_of_a_megabyte_leaves_the_page_whole(post, page_of, filling):
    sent = body(FieldValues=filling, Changes=["id"] * 5000)
    assert post(sent[: 1024 * 1024]).status_code == 200
    page = page_of(Event.objects.get())
    assert page.status == 200
    assert "This is the start of it." in page.text
    assert page.client.get(page.links["Download all"]).content == sent
    assert len(page.html) < 2_000_000
    assert page.html.rstrip().endswith("</html>")


def test_deep_nesting_does_not_multiply_the_page(post, page_of):
    nested: list[object] = [0] * 300_000
    for _ in range(25):
        nested = [nested]
    sent = json.dumps({"Event": "ticket.changed", "FieldValues": nested}, separators=(",", ":"))
    assert post(sent.encode()).status_code == 200
    assert len(page_of(Event.objects.get()).html) < 3_000_000


class TestChangedFields:
    """What changed, what it is, and from what to what."""

    def test_what_matters_comes_first_with_its_label_and_values(self, event, page_of):
        event(FieldValues={"status": 1, "priority": 4}, Changes=["status"])
        changes = ["last_changed", "status", "Priority", "title", "x_region"]
        stored = event(FieldValues={"Status": 2, "priority": "[I:5]"}, Changes=changes)
        text = page_of(stored).text
        assert "Status status 1 (Active) → 2 (Closed)" in text
        assert "Priority Priority 4 → 5" in text
        assert "Title title ? ?" in text
        assert "x_region x_region ? ?" in text
        assert text.index("x_region x_region") < text.index("Last changed last_changed noise")

    def test_dates_are_shown_in_the_projects_time_zone_and_none_as_a_dash(self, event, page_of):
        event("sale.changed", FieldValues={"saledate": "0001-01-01T00:00:00"}, Changes=["saledate"])
        values = {"saledate": "2025-05-14T15:56:39.5450964+00:00"}
        text = page_of(event("sale.changed", FieldValues=values, Changes=["saledate"])).text
        assert "– → 2025-05-14 17:56:39" in text  # noqa: RUF001

    def test_a_name_that_comes_twice_is_no_trouble(self, event, page_of):
        assert page_of(event(Changes=["title", "Title", "title"])).status == 200


class TestDeliveries:
    def test_each_stands_on_a_time_line_with_its_retry(self, post, page_of):
        sent = body(WebhookName="one")
        post(sent)
        post(sent, headers={"X-SuperOffice-Retry": "2"})
        post(sent)
        text = page_of(Event.objects.get()).text
        lines = ("first delivery, webhook one", "retry 2, webhook one", "delivered again")
        assert sorted(lines, key=text.index) == list(lines)


class TestPruned:
    """Its page stays whole when the body, the headers and the tracebacks are gone."""

    @pytest.mark.usefixtures("one_attempt")
    def test_it_says_so_where_they_were(self, post, connect, page_of):
        def raises_at_first(event, **kwargs):
            if not event.runs.exists():
                raise RuntimeError("not yet")

        connect(signals.any_event, raises_at_first)
        sent = body(WebhookName="one", Changes=["priority"])
        other = sent.replace(b'"one"', b'"two"')
        for delivered in (sent, other, sent):
            assert post(delivered, headers={"User-Agent": "Aardvark"}).status_code == 200
        before = page_of(Event.objects.get())
        assert "Aardvark" in before.text
        assert "Traceback" in before.text
        assert other.decode() in before.text

        Event.objects.update(received_at=timezone.now() - timedelta(days=2))
        call_command("superoffice_prune", bodies="1d", stdout=StringIO())
        event = Event.objects.get()
        page = page_of(event)
        assert page.status == 200
        when = f"{timezone.localtime(event.pruned_at):%Y-%m-%d %H:%M:%S}"
        assert page.text.count(f"pruned on {when}") == 2
        for gone in ("Aardvark", "Traceback", other.decode()):
            assert gone not in page.text
        assert "webhook two with another body (pruned)" in page.text
        assert "webhook one (the same body)" in page.text
        assert "RuntimeError: not yet" in page.text
        assert "Priority priority" in page.text


class TestRuns:
    """One table, the newest run first."""

    @pytest.mark.usefixtures("one_attempt")
    def test_each_says_what_it_was_part_of(self, event, connect, superuser):
        connect(signals.ticket_changed, raises)
        stored = event()
        page = Page.get(superuser, f"{EVENTS}{stored.pk}/change/")
        page = page.click("Replay").submit("reason", reason="Try again")
        runs = page.text.partition("Receiver runs")[2]
        assert runs.index(f"Replay {Replay.objects.get().pk} by sue") < runs.index("Attempt 1")

    def test_a_traceback_that_is_there_is_not_repeated(self, event, connect, page_of):
        connect(signals.ticket_changed, raises)
        stored = event()
        run = stored.runs.get()
        for attempt in (2, 3):
            run.pk, run.attempt = None, attempt
            run.save()
        page = page_of(stored)
        assert page.html.count("Traceback (most recent call last)") == 1
        assert page.links["Traceback"] == f"#error-{run.pk}"
        assert f'id="error-{run.pk}"' in page.html

    def test_an_error_beside_a_success_is_shown(self, event, connect, page_of):
        connect(signals.ticket_changed, print_nothing)
        stored = event()
        stored.runs.update(error="OSError: the hook", traceback="Traceback of the hook")
        page = page_of(stored)
        assert "errors-heading" not in page.html
        assert "Traceback of the hook" in page.text


@pytest.mark.usefixtures("one_attempt")
class TestError:
    """What keeps the event from having succeeded comes first."""

    def test_it_comes_before_what_changed_and_what_ran(self, event, connect, page_of):
        connect(signals.ticket_changed, raises)
        html = page_of(event()).html
        places = [html.index(f"{part}-heading") for part in ("errors", "fields", "runs")]
        places.append(html.index("Delivery"))
        places.append(html.index("receivers-heading"))
        assert places == sorted(places)

    def test_the_projects_own_frames_come_first_and_those_of_libraries_are_folded(
        self, event, connect, page_of
    ):
        connect(signals.ticket_changed, raises_in_a_library)
        page = page_of(event())
        own, _, whole = page.html.partition("<details><summary>The whole traceback")
        own = own.partition("errors-heading")[2]
        assert "in raises_in_a_library" in own
        assert "JSONDecodeError" in own
        assert "decoder.py" not in own
        assert "decoder.py" in whole

    def test_it_is_no_error_of_a_form(self, event, connect, page_of):
        connect(signals.ticket_changed, raises)
        page = page_of(event())
        assert "<title>Error:" not in page.html
        assert "Please correct" not in page.text

    def test_it_leads_to_all_that_is_still_failed_for_its_receiver(
        self, event, connect, page_of, viewer
    ):
        connect(signals.ticket_changed, raises)
        mended, handled, failed = event(PrimaryKey=1), event(PrimaryKey=2), event(PrimaryKey=3)
        again = ReceiverRun.begin(mended, "tests.admin.conftest.raises", None)
        again.attempt = 2
        again.succeed()
        again.store()
        assert handled.handle(who="A", reason="By hand.")
        link = page_of(failed).links["All that is still failed for this receiver"]
        assert link == f"{EVENTS}?failing=tests.admin.conftest.raises"
        assert Page.get(viewer, link).cells("record") == ["ticket 3 Default"]

    def test_how_often_it_came_is_told(self, event, connect, page_of):
        connect(signals.ticket_changed, raises)
        stored = event()
        assert "tests.admin.conftest.raises failed once, on 20" in page_of(stored).text
        run = stored.runs.get()
        run.pk, run.attempt = None, 2
        run.save()
        assert "failed 2 times, the last time on 20" in page_of(stored).text

    def test_after_three_receivers_the_others_are_counted(self, event, connect, page_of):
        connect(signals.ticket_changed, raises)
        stored = event()
        run = stored.runs.get()
        for number in range(4):
            run.pk, run.receiver = None, f"project.number_{number}"
            run.save()
        page = page_of(stored)
        assert page.html.count('<div id="error-') == 3
        assert "2 more receivers failed; see the runs." in page.text

    def test_a_pruned_traceback_leaves_the_line_of_the_error(self, event, connect, page_of):
        connect(signals.ticket_changed, raises)
        stored = event()
        stored.runs.update(traceback="")
        page = page_of(stored)
        assert "ValueError: no <b>such</b> ticket" in page.text
        assert "The whole traceback" not in page.text

    def test_what_has_succeeded_by_a_replay_has_none(self, event, connect, page_of):
        connect(signals.ticket_changed, raises)
        stored = event()
        Event.objects.update(status="succeeded")
        assert "errors-heading" not in page_of(stored).html


def raises_in_a_library(**kwargs):
    """A receiver that gives a library what it cannot read."""
    json.loads("{")


class TestTitle:
    """What happened in a few words, with the status beside it."""

    @pytest.mark.parametrize(
        ("name", "before", "after", "title"),
        [
            (
                "ticket.changed",
                {"priority": 2},
                {"priority": 3},
                "ticket 527331: priority 2 → 3 and 2 more",
            ),
            (
                "ticket.changed",
                {"status": 1},
                {"status": 2},
                "ticket 527331: status 1 (Active) → 2 (Closed) and 2 more",
            ),
            ("ticket.changed", {}, {"priority": 3}, "ticket 527331: priority and 2 more"),
            ("ticket.created", {}, {}, "ticket 527331: created"),
            ("sale.sold", {}, {}, "sale 527331: sold"),
        ],
    )
    def test_names_the_record_and_the_first_change(
        self, event, page_of, name, before, after, title
    ):
        if before:
            event("ticket.changed", FieldValues=before, Changes=["priority"])
        changes = ["title", *after, "id"] if after == {"status": 2} else ["id", *after, "title"]
        text = page_of(event(name, FieldValues=after, Changes=changes)).text
        assert f"{title} skipped" in text

    def test_a_long_name_and_a_long_value_are_cut(self, event, page_of):
        event(FieldValues={"x_" + "n" * 120: "1"}, Changes=["x"])
        values = {"x_" + "n" * 120: "v" * 100_000}
        page = page_of(event(FieldValues=values, Changes=[*values]))
        title = page.html.partition("<title>")[2].partition("</title>")[0]
        assert len(title) < 300

    def test_an_event_that_says_nothing_has_one_too(self, post, page_of):
        assert post(b"{}").status_code == 200
        assert "(no name): (no name)" in page_of(Event.objects.get()).text


@pytest.mark.usefixtures("one_attempt")
class TestButtons:
    """Only those that would do something."""

    REPLAYS = ("Replay", "Replay what failed")

    def offered(self, client, event: Event) -> set[str]:
        links = Page.get(client, f"{EVENTS}{event.pk}/change/").links
        return links.keys() & {*self.REPLAYS, "Mark as handled"}

    def test_what_failed(self, event, connect, replayer):
        connect(signals.ticket_changed, raises)
        connect(signals.any_event, print_nothing)
        assert self.offered(replayer, event()) == {*self.REPLAYS, "Mark as handled"}

    def test_if_nothing_failed_there_is_one_way_to_replay(self, event, connect, replayer):
        connect(signals.any_event, print_nothing)
        assert self.offered(replayer, event()) == {"Replay"}

    def test_without_a_receiver_nothing_is_to_be_replayed(self, event, replayer):
        assert self.offered(replayer, event()) == set()

    def test_what_is_not_finished_is_left_to_its_dispatch(self, event, connect, replayer):
        connect(signals.any_event, print_nothing)
        stored = event()
        Event.objects.update(status="pending", next_attempt_at=timezone.now())
        assert self.offered(replayer, stored) == set()

    def test_what_is_handled_can_be_undone_and_says_by_whom(self, event, connect, replayer):
        connect(signals.ticket_changed, raises)
        stored = event()
        assert stored.handle(who="anna", reason="By <b>phone</b>")
        page = Page.get(replayer, f"{EVENTS}{stored.pk}/change/")
        assert "by anna: By <b>phone</b>" in page.text
        assert "Undo “Mark as handled”" in page.text
        page.forms = [form for form in page.forms if form.id == "undo-handled"]
        page = page.submit("csrfmiddlewaretoken")
        assert "The event counts as failed again." in page.text
        assert "undone by rita on 20" in page.text
        assert "Undo" not in page.text

    def test_who_may_only_look_has_none(self, event, connect, viewer):
        connect(signals.ticket_changed, raises)
        stored = event()
        assert self.offered(viewer, stored) == set()
        assert stored.handle(who="anna", reason="By phone")
        assert "Undo" not in Page.get(viewer, f"{EVENTS}{stored.pk}/change/").text


class TestBounds:
    """Values, lists and names are bounded, and the whole is a click away."""

    def test_the_first_fields_are_shown_and_the_others_are_folded(self, event, page_of):
        names = [f"x_{number}" for number in range(30)]
        page = page_of(event(Changes=names))
        shown, _, folded = page.text.partition("Changed fields")[2].partition("and 10 more")
        assert "x_19" in shown
        assert "x_20" not in shown
        assert "x_29" in folded

    def test_a_long_value_opens(self, event, page_of):
        event(FieldValues={"title": "short"}, Changes=["title"])
        page = page_of(event(FieldValues={"title": "v" * 900_000}, Changes=["title"]))
        fields = page.text.partition("Changed fields")[2].partition("Receiver runs")[0]
        assert len(fields) < 25_000
        assert "The first 20000 of 900000 characters." in fields
        assert "superoffice-long" in page.html

    def test_what_cannot_be_seen_is_written_out_everywhere(self, event, connect, page_of):
        evil = "x\u202e\u200by"
        stored = event(
            f"{evil}.{evil}", Entity=evil, ContextIdentifier=evil, WebhookName=evil,
            Changes=[evil], FieldValues={evil: evil},
        )  # fmt: skip
        Event.objects.update(begun_by=evil, calling=evil, handled_by=evil, status="handled")
        page = page_of(stored)
        assert "\u202e" not in page.html
        assert "\u200b" not in page.html
        assert page.text.count("\\u202e\\u200b") > 10


class TestNewerEvent:
    def test_an_older_event_leads_to_the_records_newest(self, event, page_of):
        older, newer = event(Timestamp="2026-05-19T12:00:00Z"), event("ticket.created")
        newest = event(Timestamp="2026-05-19T13:00:00Z")
        assert page_of(older).click("ticket.changed").url.endswith(f"/{newest.pk}/change/")
        assert "ticket.changed 2026-05-19 15:00:00" in page_of(newer).text
        assert "none: this is the record's newest" in page_of(newest).text


class TestReceivers:
    """Who listens to the event, who was called, and why the others were not."""

    def test_each_has_its_reason(self, event, connect, page_of):
        def urgent(**kwargs):
            pass

        def quiet(**kwargs):
            pass

        connect(signals.ticket_changed, urgent, fields={"PRIORITY", "nonsense"})
        connect(signals.any_event, quiet, fields={"x_*", "orgNr"})
        text = page_of(event(Changes=["Priority", "title"])).text
        assert (
            f"{dotted_path(urgent)} ticket.changed yes Some of its fields changed. Priority" in text
        )
        assert f"{dotted_path(quiet)} * passed over None of its fields changed. orgnr x_*" in text

    def test_our_own_write_is_called_so(self, event, connect, page_of):
        connect(signals.ticket_changed, lambda **kwargs: None, ignore_own=True)
        own = {"Default": [37201]}
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "OWN_ASSOCIATES": own}):
            text = page_of(event()).text
        assert "passed over We caused the event ourselves, and it ignores those." in text
        assert "was skipped because it was for no receiver" in text

    def test_without_any_it_says_so(self, event, page_of):
        assert "No receiver is connected for this event." in page_of(event()).text


@pytest.mark.parametrize(
    ("name", "field", "description"),
    [
        # "The reference to the ticket_priority table." and "Primary key" say what a name says.
        ("ticket.changed", "priority", ""),
        ("sale.changed", "project_id", ""),
        ("ticket.changed", "cust_id", "NULL or -1 if ticket is not connected to customer."),
    ],
)
def test_a_description_that_only_says_what_it_refers_to_is_left_out(
    event, page_of, name, field, description
):
    text = page_of(event(name, Changes=[field])).text
    assert "reference to the ticket_priority" not in text
    assert "Optional project reference" not in text
    assert description in text
