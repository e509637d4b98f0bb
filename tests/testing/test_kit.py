"""The kit with which projects test their receivers."""

import threading
from datetime import timedelta

import pytest
from django.test import LiveServerTestCase, TestCase, override_settings
from django.urls import include, path, set_script_prefix
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.dispatcher import process
from superoffice_hooks.exceptions import RetryLater
from superoffice_hooks.models import Event
from superoffice_hooks.testing import (
    SuperOffice,
    Webhook,
    adeliver,
    deliver,
    dispatch_due,
    event,
    export,
    muted,
    notification,
    only,
    wait_until_dispatched,
)

from ..conftest import SECRET, body
from ..gathered import gathering

_inner = ([path("hooks/", include("superoffice_hooks.urls"))], "project")
urlpatterns = [path("outer/", include(_inner, namespace="project"))]


def names(called: list[Event]) -> list[int | None]:
    return [event.primary_key for event in called]


@pytest.fixture
def called(connect) -> list[Event]:
    """The events that a receiver of priorities was called for."""
    events: list[Event] = []

    def escalate(event, **kwargs):
        events.append(event)

    connect(signals.ticket_changed, escalate, fields={"priority"})
    return events


@pytest.fixture
def broken(connect) -> dict[str, bool]:
    """A receiver that raises until it is mended."""
    state = {"mended": False}

    def mail(**kwargs):
        if not state["mended"]:
            raise ConnectionError("the mail server is away")

    connect(signals.any_event, mail)
    return state


class TestDeliver:
    pytestmark = pytest.mark.django_db

    def test_it_returns_the_event_once_its_receivers_have_been_called(self, client, called):
        event = deliver(client, changes=["priority"], PrimaryKey=76)
        assert (event.status, event.primary_key, event.changes) == ("succeeded", 76, ("priority",))
        assert names(called) == [76]

    def test_it_raises_what_a_receiver_raised(self, client, broken):
        with pytest.raises(ConnectionError, match="the mail server is away"):
            deliver(client)
        assert Event.objects.get().runs.get().outcome == "failed"

    def test_unless_told_not_to(self, client, broken):
        assert deliver(client, raises=False).status == "pending"

    def test_what_filters_leave_out_is_not_called(self, client, called):
        deliver(client, changes=["title"])
        deliver(client, "sale.sold")
        assert called == []

    def test_a_refusal_says_why(self, client):
        hooks = {"SECRETS": [SECRET], "MAX_BODY_BYTES": 10}
        refused = pytest.raises(AssertionError, match="answered 413: body too large")
        with override_settings(SUPEROFFICE_HOOKS=hooks), refused:
            deliver(client)

    def test_an_endpoint_has_its_own_address_and_secret(self, client):
        secrets = {"default": ["a first secret of ours"], "sales": ["a second secret of ours"]}
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}):
            assert deliver(client, "sale.sold", endpoint="sales").endpoint == "sales"

    @pytest.mark.django_db(transaction=True)
    def test_a_prefix_of_the_server_is_left_to_the_server(self, client, settings):
        settings.FORCE_SCRIPT_NAME = "/app"
        set_script_prefix("/app/")
        assert deliver(client, PrimaryKey=7).primary_key == 7

    @pytest.mark.urls("tests.testing.test_kit")
    def test_the_webhook_is_found_within_other_namespaces(self, client):
        assert deliver(client, PrimaryKey=7).primary_key == 7

    def test_outside_of_a_test_s_transaction_lanes_are_waited_for(self, client, called, broken):
        with pytest.raises(ConnectionError):
            deliver(client, changes=["priority"])
        assert len(called) == 1


class AsynchronousTest(TestCase):
    """In a TestCase, the asynchronous client runs receivers inside the test's transaction."""

    def setUp(self):
        self.called: list[int] = []

        def note(event, **kwargs):
            self.called.append(event.primary_key)

        self.note = note
        signals.any_event.connect(note, weak=False)
        self.addCleanup(signals.any_event.disconnect, note)

    async def test_adeliver_returns_the_event(self):
        event = await adeliver(self.async_client, PrimaryKey=77)
        assert (event.status, self.called) == ("succeeded", [77])

    async def test_another_one_finds_the_table_empty(self):
        await adeliver(self.async_client, PrimaryKey=78)
        assert await Event.objects.acount() == 1


class TestDispatchDue:
    pytestmark = pytest.mark.django_db

    def test_it_goes_ahead_to_a_retry(self, client, broken):
        deliver(client, raises=False, PrimaryKey=76)
        assert dispatch_due() == []
        broken["mended"] = True
        [event] = dispatch_due(later=timedelta(minutes=3))
        assert (event.status, event.primary_key) == ("succeeded", 76)

    def test_it_raises_what_a_receiver_raised(self, client, broken):
        deliver(client, raises=False)
        with pytest.raises(ConnectionError):
            dispatch_due(later=timedelta(minutes=3))

    def test_it_goes_no_further_than_it_is_told(self, client, connect):
        def later(**kwargs):
            raise RetryLater(3600)

        connect(signals.any_event, later)
        deliver(client, raises=False)
        assert dispatch_due(later=timedelta(minutes=59)) == []
        # A delay is made a tenth longer at random.
        assert len(dispatch_due(later=timedelta(minutes=8), raises=False)) == 1

    def test_it_goes_ahead_to_the_call_of_what_joins_only_then(self, post, connect, settings):
        settings.SUPEROFFICE_HOOKS = {"SECRETS": [SECRET], "DISPATCH": "worker"}
        calls = []
        connect(signals.any_event, lambda events, **kwargs: calls.append(len(events)), settle=30)
        post(body(PrimaryKey=76))
        assert [event.status for event in dispatch_due(later=timedelta(seconds=20))] == ["waiting"]
        post(body(PrimaryKey=77))
        dispatch_due(later=timedelta(seconds=31))
        assert calls == [1, 1]

    def test_it_goes_ahead_to_the_call_of_what_has_joined(self, client):
        row = gathering("desk.sync", deliver(client))
        dispatch_due(later=timedelta(seconds=10), raises=False)
        due_at = row.next_attempt_at
        row.refresh_from_db()
        assert due_at - row.next_attempt_at == timedelta(seconds=10)


class TestMuted:
    pytestmark = pytest.mark.django_db

    def test_nobody_is_called_and_events_are_stored(self, client, called, broken):
        with muted():
            assert deliver(client, changes=["priority"]).runs.count() == 0
        assert called == []

    def test_only_some_are_called_with_their_filters(self, client, connect, broken):
        calls = []

        def escalate(**kwargs):
            calls.append(kwargs["changes"])

        connect(signals.ticket_changed, escalate, fields={"priority"})
        with only(escalate):
            deliver(client, changes=["priority", "title"])
            deliver(client, changes=["title"])
        assert calls == [("priority",)]

    def test_afterwards_all_are_called_again(self, client, called):
        with muted():
            pass
        deliver(client, changes=["priority"])
        assert len(called) == 1


class TestEvent:
    pytestmark = pytest.mark.django_db

    def test_it_is_stored_and_nobody_is_ever_called_for_it(self, called, broken):
        stored = event(changes=["priority"], PrimaryKey=76, FieldValues={"priority": 3})
        assert stored.pk
        assert stored.field_values["priority"] == 3
        assert dispatch_due(later=timedelta(days=1)) == []
        assert called == []


class TestExport:
    pytestmark = pytest.mark.django_db

    def test_texts_and_names_go_and_the_shape_stays(self):
        values = {"name": "Ann", "rank": 3, "due": "2026-05-19T08:00:00", "list": ["Ann", 1]}
        stored = event("contact.changed", PrimaryKey=5, FieldValues=values, WebhookName="Ours")
        body = export(stored)
        assert body["FieldValues"] == {
            "name": "text",
            "rank": 3,
            "due": "2026-05-19T08:00:00",
            "list": ["text", 1],
        }
        assert "Ann" not in str(body)
        assert "Ours" not in str(body)
        assert (body["Event"], body["PrimaryKey"]) == ("contact.changed", 5)

    def test_it_can_be_delivered_again(self, client):
        body = export(event("contact.changed", changes=["name"], PrimaryKey=5))
        name = body.pop("Event")
        del body["EventId"]
        assert deliver(client, name, **body).changes == ("name",)


class LiveServerTest(LiveServerTestCase):
    """With a live server there is something to wait with."""

    def test_receivers_are_waited_for(self):
        release, called = threading.Event(), []

        def slow(event, **kwargs):
            release.wait(10)
            called.append(event.primary_key)

        signals.any_event.connect(slow, weak=False)
        self.addCleanup(signals.any_event.disconnect, slow)
        superoffice = SuperOffice(delays=(0,))
        webhook = Webhook(url=f"{self.live_server_url}/superoffice/webhook/", secret=SECRET)
        superoffice.deliver(webhook, notification(PrimaryKey=76))
        with pytest.raises(TimeoutError, match=r"not dispatched: ticket\.changed"):
            wait_until_dispatched(0.1)
        release.set()
        wait_until_dispatched()
        assert called == [76]


@pytest.mark.django_db
def test_what_has_joined_is_waited_for_once_it_is_due(client):
    stored = deliver(client)
    row = gathering("desk.sync", stored)
    wait_until_dispatched(1)
    row.claim = 7
    row.save()
    with pytest.raises(TimeoutError, match=r"not dispatched: events for desk\.sync \(gathering\)"):
        wait_until_dispatched(0.1)


@pytest.mark.django_db
def test_in_the_transaction_of_a_test_no_lane_is_started(client, monkeypatch):
    monkeypatch.setattr("superoffice_hooks.dispatcher.process._lanes", None)
    deliver(client)
    wait_until_dispatched(1)
    assert process._lanes is None


@pytest.mark.django_db
class TestFixtures:
    """pytest finds them by itself, without a line in a conftest."""

    def test_deliver(self, deliver, called):
        assert deliver(changes=["priority"], PrimaryKey=9).primary_key == 9
        assert names(called) == [9]

    def test_dispatch_due(self, deliver, dispatch_due, broken):
        deliver(raises=False)
        broken["mended"] = True
        assert [event.status for event in dispatch_due(later=timedelta(hours=1))] == ["succeeded"]

    def test_muted_and_only(self, deliver, muted, only, called):
        with muted():
            deliver(changes=["priority"])
        with only(test_the_time_is_real):
            deliver(changes=["priority"])
        assert called == []

    def test_superoffice_event(self, superoffice_event):
        assert superoffice_event(PrimaryKey=4).primary_key == 4

    def test_their_secret_is_of_the_tests(self, deliver, superoffice_secret, settings):
        assert settings.SUPEROFFICE_HOOKS["SECRETS"] == [superoffice_secret]
        assert superoffice_secret != SECRET


@pytest.mark.django_db
def test_the_time_is_real(client):
    before = timezone.now()
    assert deliver(client).received_at >= before
