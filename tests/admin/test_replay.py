"""The Replay action and button: asked first, done once, counted, never beyond what was chosen."""

import json
from datetime import timedelta
from urllib.parse import quote, urljoin

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.admin import EventAdmin
from superoffice_hooks.admin.filters.columns import NameFilter
from superoffice_hooks.models import Event, FailureGroup, Replay

from ..conftest import Poster, body, connecting
from ..copies import copies
from .conftest import EVENTS, REPLAY, raises
from .page import Page

RAISES = "tests.admin.conftest.raises"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_attempt")]


def choose(page: Page, *events: Event, **more: str) -> Page:
    """Tick these events in the list, and choose the action."""
    return page.submit(
        "action", action="replay", _selected_action=[str(event.pk) for event in events], **more
    )


@pytest.fixture
def calls(connect) -> list[Event]:
    """The events that reached a receiver in a replay, in order."""
    called: list[Event] = []

    def note(*, event, replay, **kwargs):
        if replay:
            called.append(event)

    connect(signals.any_event, note)
    return called


def test_the_action_replays_what_was_chosen_after_it_was_confirmed(event, calls, replayer):
    one, _, three = event(), event("sale.sold"), event("contact.changed")
    page = choose(Page.get(replayer, EVENTS), one, three)
    assert "Replay 2 events" in page.text
    assert "contact.changed 1 tests.admin.test_replay.calls.<locals>.note" in page.text
    assert str(one) in page.links
    assert calls == []
    page = page.submit("reason", reason="asked for")
    assert "2 events replayed: 2 succeeded, 0 failed." in page.text
    assert calls == [one, three]
    assert Replay.objects.get().criteria == {"ids": [one.pk, three.pk]}


def test_the_action_takes_everything_across_pages(event, calls, replayer, monkeypatch):
    monkeypatch.setattr(EventAdmin, "list_per_page", 2)
    others = [event("contact.changed")]
    chosen = [event() for _ in range(5)]
    page = Page.get(replayer, f"{EVENTS}?entity=ticket")
    page = choose(page, *chosen[-2:], select_across="1")
    assert "Replay 5 events" in page.text
    event()
    page = page.submit("reason", reason="all of them")
    assert calls == chosen
    assert others[0] not in calls
    assert page.url == f"{EVENTS}?entity=ticket"
    assert Replay.objects.get().criteria == {"entity": "ticket", "up_to": chosen[-1].pk}


class TestAllThatMatch:
    """The list's filter becomes criteria where they say the same, and keys where they do not."""

    @pytest.fixture(scope="class")
    @classmethod
    def stored(cls, rows_of_the_class):
        post = Poster()
        wanted = {"ContextIdentifier": "Cust1", "Changes": ["Priority"], "WebhookName": "CRM"}
        hooks = {**settings.SUPEROFFICE_HOOKS, "MAX_ATTEMPTS": 1}
        with override_settings(SUPEROFFICE_HOOKS=hooks), connecting() as connect:
            connect(signals.ticket_changed, raises)
            for number in range(7):
                name, values = ("ticket.changed", wanted) if number < 2 else ("sale.changed", {})
                post(body(name, PrimaryKey=number, **{"Changes": ["sale"], **values}))

    @pytest.fixture(autouse=True)
    def lists(self, stored, one_attempt, calls, connect, monkeypatch):
        """Two of the seven are wanted; no page shows them all."""
        monkeypatch.setattr(EventAdmin, "list_per_page", 1)
        connect(signals.ticket_changed, raises)

    def replayed(self, replayer, query: str) -> list[int | None]:
        """The records that were called for, once everything the filter left was chosen."""
        replayer.handler.enforce_csrf_checks = False
        key = Event.objects.order_by("pk")[0].pk
        sent = {"action": "replay", "_selected_action": key, "select_across": "1"}
        url = f"{EVENTS}{query}"
        page = Page(replayer, replayer.post(url, sent, follow=True), url)
        (form,) = (form for form in page.forms if "reason" in dict(form.fields))
        fields = {name: value for name, value in form.fields if name != "only_failed"}
        replayer.post(urljoin(page.url, form.action), {**fields, "reason": "all of them"})
        replay = Replay.objects.get()
        assert replay.planned == replay.tried
        return list(replay.runs.order_by("pk").values_list("event__primary_key", flat=True))

    @pytest.mark.parametrize(
        ("query", "criteria"),
        [
            ("?name=ticket.changed", {"name": "ticket.changed"}),
            ("?name=ticket.*", {"name": "ticket.*"}),
            ("?entity=ticket&o=1&p=1", {"entity": "ticket"}),
            ("?tenant=Cust1", {"tenant": "Cust1"}),
            ("?changed=priority", {"changed": ["priority"]}),
            ("?status__exact=failed", {"status": "failed"}),
            ("?webhook_name__exact=CRM", None),
            ("?webhook_name=CRM&endpoint=default", {"webhook_name": "CRM", "endpoint": "default"}),
            ("?entity=ticket&tenant=Cust1", {"entity": "ticket", "tenant": "Cust1"}),
            (
                "?entity=ticket&received_at__gte=2020-01-01T00:00Z",
                {"entity": "ticket", "since": "2020-01-01 00:00:00+00:00"},
            ),
            (
                "?entity=ticket&received_at__lt=3020-01-01T00:00%2B01:00",
                {"entity": "ticket", "until": "3020-01-01 00:00:00+01:00"},
            ),
            ("?primary_key__lt=2", None),
            ("?entity=ticket&received_at__gte=2020-01-01T00:00Z&associate_id__isnull=False", None),
        ],
    )
    def test_the_replay_has_the_events_of_the_list(self, replayer, calls, query, criteria):
        assert set(self.replayed(replayer, query)) == {0, 1}
        assert calls == list(Event.objects.filter(entity="ticket").order_by("pk"))
        kept = Replay.objects.get().criteria
        assert kept.pop("up_to", None) or criteria is None
        assert (kept.keys() == {"ids"}) if criteria is None else (kept == criteria)

    def test_a_search_is_kept_as_keys(self, replayer, calls):
        assert set(self.replayed(replayer, "?q=ticket+1")) == {1}
        assert Replay.objects.get().criteria.keys() == {"ids"}

    def test_no_filter_is_everything(self, replayer, calls):
        self.replayed(replayer, "")
        assert len(calls) == 7

    def test_a_filter_that_means_something_else_here_selects_no_more(
        self, replayer, calls, monkeypatch
    ):
        def narrower(self, request, queryset):
            return queryset.filter(name="ticket.changed", primary_key=1)

        monkeypatch.setattr(NameFilter, "queryset", narrower)
        assert set(self.replayed(replayer, "?name=ticket.changed")) == {1}

    def test_more_than_can_be_kept_as_keys_are_refused(self, replayer, monkeypatch):
        monkeypatch.setattr("superoffice_hooks.admin.EventAdmin.max_selected", 1)
        page = Page.get(replayer, f"{EVENTS}?primary_key__lt=2")
        page = choose(page, Event.objects.order_by("pk")[0], select_across="1")
        assert "Please select 1 events at most" in page.text
        assert page.url == f"{EVENTS}?primary_key__lt=2"

    @pytest.mark.parametrize("query", ["name=%00", "name=x&name=y", "tenant=%ED%A0"])
    def test_no_value_breaks_it(self, superuser, query):
        superuser.handler.enforce_csrf_checks = False
        key = Event.objects.order_by("pk")[0].pk
        sent = {"action": "replay", "_selected_action": key, "select_across": "1"}
        assert superuser.post(f"{EVENTS}?{query}", sent, follow=True).status_code == 200


class TestChoosingReceivers:
    """Those that are ticked, or all of them; perhaps only where they failed."""

    @pytest.fixture
    def failed(self, event, calls, connect):
        """An event of which one receiver failed and one succeeded."""
        connect(signals.ticket_changed, raises)
        return event()

    def receivers(self) -> list[str]:
        runs = Replay.objects.get().runs.values_list("receiver", flat=True)
        return sorted(path.rpartition(".")[2] for path in runs)

    def test_if_none_is_ticked_all_are_called(self, failed, replayer):
        page = Page.get(replayer, f"{EVENTS}{failed.pk}/change/").click("Replay")
        assert "This replay makes 2 calls." in page.text
        page.submit("reason", reason="all")
        assert self.receivers() == ["note", "raises"]
        assert Replay.objects.get().receivers is None

    def test_those_that_are_ticked_are_called_and_nobody_else(self, failed, replayer):
        page = Page.get(replayer, f"{EVENTS}{failed.pk}/change/").click("Replay")
        page.submit("reason", reason="one", receivers=RAISES)
        assert self.receivers() == ["raises"]
        assert Replay.objects.get().receivers == [RAISES]

    def test_a_receiver_that_is_not_offered_is_refused(self, failed, replayer):
        page = Page.get(replayer, f"{REPLAY}?ids={failed.pk}")
        page = page.submit("reason", reason="some", receivers="os.system")
        assert "os.system is not one of the available choices." in page.text
        assert not Replay.objects.exists()

    def test_only_where_it_failed_is_a_box_of_its_own(self, failed, event, replayer):
        event("sale.changed")
        page = Page.get(replayer, f"{EVENTS}{failed.pk}/change/").click("Replay what failed")
        assert f"{RAISES} (1 event, last run no success: 1)" in page.text
        assert "This replay makes 1 call." in page.text
        page.submit("reason", reason="the cause is gone")
        assert self.receivers() == ["raises"]
        assert Replay.objects.get().only_failed

    def test_a_receiver_only_where_it_failed_can_be_said(self, event, calls, replayer, connect):
        connect(signals.ticket_changed, raises)
        first, second = event(PrimaryKey=1), event(PrimaryKey=2)
        first.runs.filter(receiver=RAISES).delete()
        page = Page.get(replayer, f"{REPLAY}?ids={first.pk},{second.pk}")
        page.submit("reason", reason="both", receivers=RAISES, only_failed="on")
        [run] = Replay.objects.get().runs.all()
        assert (run.event, run.receiver) == (second, RAISES)

    @pytest.mark.parametrize(
        ("query", "receivers"),
        [
            ("?status__exact=failed", None),
            ("?outcome=failed", None),
            (f"?receiver={RAISES}&outcome=failed", [RAISES]),
            (f"?failing={RAISES}", [RAISES]),
            ("?group={group}", [RAISES]),
        ],
    )
    def test_who_comes_from_failures_means_the_receivers_that_failed(
        self, failed, replayer, query, receivers
    ):
        query = query.format(group=FailureGroup.objects.get().pk)
        page = choose(Page.get(replayer, f"{EVENTS}{query}"), failed)
        page.submit("reason", reason="the cause is gone")
        replay = Replay.objects.get()
        assert replay.only_failed
        assert replay.receivers == receivers
        assert self.receivers() == ["raises"]

    @pytest.mark.parametrize("page", ["receivers/", "overview/"])
    def test_a_number_of_failures_is_replayed_for_the_receiver_that_failed(
        self, failed, event, replayer, page
    ):
        event(PrimaryKey=2)
        page = Page.get(replayer, f"{EVENTS}{page}").click("Replay")
        assert "Replay 2 events" in page.text
        assert "This replay makes 2 calls." in page.text
        assert ("receivers", RAISES) in page.forms[-1].fields

    def test_of_events_with_two_causes_a_group_means_its_own_receiver(
        self, failed, connect, event, replayer
    ):
        def fails(**kwargs):
            raise LookupError("There is no queue.")

        connect(signals.ticket_changed, fails)
        event(PrimaryKey=2)
        group = FailureGroup.objects.get(exception="LookupError")
        criteria = quote(json.dumps({"group": group.pk}))
        page = Page.get(replayer, f"{REPLAY}?criteria={criteria}")
        assert "This replay makes 1 call." in page.text
        assert ("receivers", group.receiver) in page.forms[-1].fields

    def test_the_box_can_be_cleared(self, failed, replayer):
        criteria = quote(json.dumps({"status": "failed"}))
        page = Page.get(replayer, f"{REPLAY}?criteria={criteria}")
        assert ("only_failed", "on") in page.forms[-1].fields
        page.submit("reason", reason="all of them", only_failed=[])
        assert self.receivers() == ["note", "raises"]

    def test_nothing_failed_is_said(self, event, calls, replayer):
        page = Page.get(replayer, f"{REPLAY}?ids={event().pk}&only_failed=on")
        assert "The last run of every receiver was a success." in page.text
        page = page.submit("reason", reason="hope")
        assert "1 was skipped: this replay calls no receiver for it." in page.text


class TestPreview:
    """The preview follows what is chosen, and changes nothing."""

    def test_the_button_shows_what_the_choice_would_do_and_keeps_what_was_typed(
        self, event, calls, connect, replayer
    ):
        connect(signals.ticket_changed, raises)
        page = Page.get(replayer, f"{REPLAY}?ids={event().pk}")
        page = page.submit("reason", reason="half a sen", receivers=RAISES, preview="Preview")
        assert "This replay makes 1 call." in page.text
        assert "half a sen" in page.text
        assert ("receivers", RAISES) in page.forms[-1].fields
        assert not Replay.objects.exists()

    def test_a_get_shows_the_same(self, event, calls, connect, replayer):
        connect(signals.ticket_changed, raises)
        url = f"{REPLAY}?ids={event().pk}&preview=1"
        assert "This replay makes 1 call." in Page.get(replayer, f"{url}&only_failed=on").text
        assert "This replay makes 2 calls." in Page.get(replayer, url).text
        assert not Replay.objects.exists()

    def test_a_box_that_was_cleared_is_not_ticked_again(self, event, calls, connect, replayer):
        connect(signals.ticket_changed, raises)
        event()
        url = f"{REPLAY}?criteria={quote(json.dumps({'status': 'failed'}))}"
        assert "This replay makes 1 call." in Page.get(replayer, url).text
        assert "This replay makes 2 calls." in Page.get(replayer, f"{url}&preview=1").text

    def test_more_events_than_are_counted_are_said(self, event, calls, replayer, monkeypatch):
        monkeypatch.setattr("superoffice_hooks.replay.preview.MAX_EVENTS", 2)
        for _ in range(3):
            event()
        page = Page.get(replayer, f"{REPLAY}?criteria={quote(json.dumps({'entity': 'ticket'}))}")
        assert "2 events are selected. There are more" in page.text
        page.submit("reason", reason="all of them")
        assert Replay.objects.get().planned == 3


class TestNewest:
    """Old values written after newer ones do harm, so the newest of each record can be meant."""

    def test_only_the_newest_is_replayed(self, event, calls, replayer):
        old, new, other = event(PrimaryKey=1), event(PrimaryKey=1), event(PrimaryKey=2)
        page = choose(Page.get(replayer, EVENTS), old, new, other)
        page = page.submit("reason", only_newest="on", preview="Preview")
        assert "This replay makes 2 calls." in page.text
        page.submit("reason", reason="the newest", only_newest="on")
        assert calls == [new, other]
        assert Replay.objects.get().only_newest

    def test_all_are_replayed_if_it_is_not_ticked(self, event, calls, replayer):
        old, new = event(PrimaryKey=1), event(PrimaryKey=1)
        choose(Page.get(replayer, EVENTS), old, new).submit("reason", reason="history")
        assert calls == [old, new]

    def test_a_newer_event_that_is_not_selected_is_warned_of(self, event, calls, replayer):
        old = event(PrimaryKey=1)
        other = event(PrimaryKey=2)
        event("ticket.deleted", PrimaryKey=1)
        page = choose(Page.get(replayer, EVENTS), old, other)
        assert "1 record has a newer event that is not among these." in page.text
        page = choose(Page.get(replayer, EVENTS), other)
        assert "newer event" not in page.text


def test_a_link_may_name_criteria_too(event, calls, replayer):
    event("sale.sold")
    wanted = event()
    criteria = quote(json.dumps({"entity": "ticket", "unsuperseded": True}))
    page = Page.get(replayer, f"{REPLAY}?criteria={criteria}")
    event(PrimaryKey=1)
    page.submit("reason", reason="a link said so")
    assert calls == [wanted]


@pytest.mark.parametrize(
    "criteria",
    ["", "{}", "[]", "null", "{", '{"color": 1}', '{"ids": []}', '{"ids": [999999]}', "[" * 9999],
    ids=lambda text: text[:20],
)
def test_criteria_that_say_nothing_select_nothing(event, calls, superuser, criteria):
    event()
    superuser.handler.enforce_csrf_checks = False
    response = superuser.post(REPLAY, {"criteria": criteria, "reason": "a slip"}, follow=True)
    assert "There is no such event." in response.content.decode()
    assert not Replay.objects.exists()


def test_the_page_takes_as_many_queries_for_many_events(event, calls, replayer):
    def queries() -> int:
        criteria = quote(json.dumps({"up_to": Event.objects.latest("pk").pk}))
        with CaptureQueriesContext(connection) as captured:
            assert Page.get(replayer, f"{REPLAY}?criteria={criteria}").status == 200
        return len(captured)

    for number in range(2):
        event(PrimaryKey=1, ContextIdentifier=f"Cust{number}")
    few = queries()
    for number in range(30):
        event(f"y_table{number}.changed", PrimaryKey=number)
    assert queries() == few


def test_more_events_than_one_request_should_name_are_refused(event, calls, replayer, monkeypatch):
    monkeypatch.setattr("superoffice_hooks.admin.EventAdmin.max_selected", 2)
    page = choose(Page.get(replayer, EVENTS), *[event() for _ in range(3)])
    assert "Please select 2 events at most" in page.text
    assert page.url == EVENTS


def test_a_replay_needs_a_reason(event, calls, replayer):
    stored = event()
    for nothing in ("", "  \n"):
        page = Page.get(replayer, f"{REPLAY}?ids={stored.pk}").submit("reason", reason=nothing)
        assert "This field is required." in page.text
    assert not Replay.objects.exists()
    page = page.submit("reason", reason="now I have one")
    assert calls == [stored]


def test_looking_at_the_confirmation_replays_nothing(event, calls, replayer):
    stored = event()
    for url in (f"{REPLAY}?ids={stored.pk}", f"{REPLAY}?ids={stored.pk}&reason=because"):
        assert replayer.get(url).status_code == 200
        assert replayer.head(url).status_code == 200
    assert not Replay.objects.exists()


@pytest.mark.words
@pytest.mark.parametrize(
    "ids", ["", ",", "all", "1,", "-1", "0", "9" * 18, "9" * 500, "1 OR 1=1", "²"]
)
def test_no_choice_is_not_a_choice_of_everything(event, calls, superuser, ids):
    event()
    superuser.handler.enforce_csrf_checks = False
    response = superuser.post(REPLAY, {"ids": ids, "reason": "a slip"}, follow=True)
    assert "There is no such event." in response.content.decode()
    assert calls == []
    assert not Replay.objects.exists()


def test_the_counts_tell_failed_and_skipped_from_succeeded(event, connect, replayer):
    connect(signals.sale_sold, raises)
    connect(signals.contact_changed, lambda **kwargs: None)
    chosen = [event("sale.sold"), event("contact.changed"), event("person.changed")]
    page = choose(Page.get(replayer, EVENTS), *chosen)
    assert "None: these events will be skipped." in page.text
    page = page.submit("reason", reason="to count")
    assert "3 events replayed: 1 succeeded, 1 failed. 1 was skipped:" in page.text
    assert 'class="warning"' in page.html


def test_an_unfinished_event_is_left_to_its_ordinary_dispatch(event, calls, replayer):
    stored = event()
    later = timezone.now() + timedelta(minutes=5)
    Event.objects.update(status=Event.Status.PENDING, next_attempt_at=later)
    page = Page.get(replayer, f"{REPLAY}?ids={stored.pk}").submit("reason", reason="impatience")
    assert "1 event replayed: 0 succeeded, 1 failed." in page.text
    assert "1 of the failed was unfinished and is left to its ordinary dispatch." in page.text
    assert calls == []


def test_the_test_event_names_no_receivers(post, calls, replayer):
    post(b'{"Event": "test"}')
    page = Page.get(replayer, f"{REPLAY}?ids={Event.objects.get().pk}")
    assert "None: these events will be skipped." in page.text


def test_a_long_choice_is_shortened_and_told(event, calls, replayer):
    stored = event()
    page = choose(Page.get(replayer, EVENTS), stored, *copies(stored, 21))
    assert "and 2 more" in page.text


def test_cancel_leads_back(event, calls, replayer):
    stored = event()
    page = choose(Page.get(replayer, f"{EVENTS}?entity=ticket"), stored, event()).click("Cancel")
    assert page.url == f"{EVENTS}?entity=ticket"
    page = Page.get(replayer, f"{EVENTS}{stored.pk}/change/").click("Replay").click("Cancel")
    assert page.url == f"{EVENTS}{stored.pk}/change/"


@pytest.mark.django_db(transaction=True)
def test_each_receiver_commits_on_its_own_also_under_atomic_requests(event, connect, replayer):
    savepoints = []
    stored = event()
    connect(signals.any_event, lambda **kwargs: savepoints.append(len(connection.savepoint_ids)))
    Page.get(replayer, f"{REPLAY}?ids={stored.pk}").submit("reason", reason="to see")
    assert savepoints == [0]


@pytest.mark.parametrize("criteria", [{"entity": "ticket"}, {"up_to": 2**60}], ids=str)
def test_criteria_reach_no_event_that_a_project_hides_from_the_user(
    event, calls, replayer, monkeypatch, criteria
):
    """A project may limit users to a tenant in ``get_queryset`` of its own EventAdmin."""
    shown = event(ContextIdentifier="Cust1")
    event(ContextIdentifier="Cust2")
    whole = EventAdmin.get_queryset
    monkeypatch.setattr(
        EventAdmin, "get_queryset", lambda *args: whole(*args).filter(tenant="Cust1")
    )
    page = Page.get(replayer, f"{REPLAY}?criteria={quote(json.dumps(criteria))}")
    assert "Replay 1 event" in page.text
    page.submit("reason", reason="mine")
    assert calls == [shown]


def test_a_forged_form_reaches_no_event_that_a_project_hides(event, calls, superuser, monkeypatch):
    event(ContextIdentifier="Cust2")
    whole = EventAdmin.get_queryset
    monkeypatch.setattr(
        EventAdmin, "get_queryset", lambda *args: whole(*args).filter(tenant="Cust1")
    )
    superuser.handler.enforce_csrf_checks = False
    sent = {"criteria": json.dumps({"entity": "ticket"}), "which": "all", "reason": "forged"}
    response = superuser.post(REPLAY, sent, follow=True)
    assert "There is no such event." in response.content.decode()
    assert calls == []
