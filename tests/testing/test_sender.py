"""The sender we test with behaves as SuperOffice is documented to."""

import dataclasses
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Redelivery
from superoffice_hooks.testing import (
    NotSaved,
    State,
    SuperOffice,
    Webhook,
    notification,
)
from superoffice_hooks.wire.event_names import EVENT_NAMES
from superoffice_hooks.wire.notification import Delivery, Notification
from superoffice_hooks.wire.samples import headers
from superoffice_hooks.wire.signature import is_signed, sign

from ..answering import answering
from ..conftest import SECRET, URL, documented

OTHER_NAMES = ("list.110.softdeleted", "list.category.created", "y_car.changed", "foo.bar", "test")


class TestNotification:
    """Bodies look like the documented ones."""

    def test_ticket_changed_lists_the_47_documented_fields(self):
        assert notification()["Changes"] == json.loads(documented("seed-ticket.changed"))["Changes"]
        assert len(notification("ticket.changed")["Changes"]) == 47

    @pytest.mark.parametrize(
        "sample",
        [
            "ticket-events-01-ticket.created",
            "sale-events-04-sale.sold",
            "quote-events-01-quote.approved",
            "document-events-04-document.edited",
            "chat-events-03-chatsession.changed",
            "person-events-03-person.deleted",
            "person-events-05-person.unconsented",
            "list-events-06-list.110.softdeleted",
            "extratable-events-02-y_table.changed",
            "state-events-03-webhook.errors",
            "test-event-01-test",
        ],
    )
    def test_keys_and_emptiness_of_changes_are_as_documented(self, sample):
        original = json.loads(documented(sample))
        made_up = notification(original["Event"])
        # FieldValues came with 11.1, so some samples have them and others do not.
        assert {*made_up, "FieldValues"} == {*original, "FieldValues"}
        assert bool(made_up["Changes"]) == bool(original["Changes"])
        assert made_up["PrimaryKey"] == 0 or original["PrimaryKey"] != 0

    def test_of_a_test_event_the_primary_key_is_zero(self):
        assert notification("test")["PrimaryKey"] == 0

    @pytest.mark.parametrize("name", [*EVENT_NAMES, *OTHER_NAMES, "webhook.started"])
    def test_every_name_makes_a_body_we_find_nothing_odd_in(self, name):
        sent = json.dumps(notification(name)).encode()
        delivery = Delivery(
            endpoint="default",
            body=sent,
            headers={},
            remote_addr=None,
            received_at=timezone.now(),
        )
        assert Notification.parse(delivery).name == name
        assert Notification.parse(delivery).problems == ()

    def test_each_has_an_event_id_of_its_own_and_a_timestamp_of_seven_digits(self):
        first, second = notification(), notification()
        assert UUID(first["EventId"]) != UUID(second["EventId"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", first["Timestamp"])

    def test_values_replace_and_add_keys(self):
        made_up = notification("sale.sold", PrimaryKey=18, FieldValues={"currency_id": 36})
        assert (made_up["PrimaryKey"], made_up["FieldValues"]) == (18, {"currency_id": 36})


class TestSaving:
    """A webhook is saved once its test event is answered with 200."""

    def test_sends_the_signed_test_event_with_two_different_ids(self):
        with answering(200) as server:
            attempt = SuperOffice().save(Webhook(url=server.url, secret=SECRET))
        (request,) = server.requests
        assert request.payload["Event"] == request.header("X-SuperOffice-Event") == "test"
        assert request.header("X-Hook-Test") == "true"
        assert request.payload["EventId"] == attempt.event_id
        assert request.header("X-SuperOffice-EventId") not in (None, attempt.event_id)
        assert is_signed(request.body, request.header("X-SuperOffice-Signature") or "", [SECRET])

    def test_is_refused_after_any_other_answer(self):
        superoffice = SuperOffice()
        with answering(202) as server:
            with pytest.raises(NotSaved, match="answered with 202") as refusal:
                superoffice.save(Webhook(url=server.url))
            assert superoffice.send(notification()) == []
        assert refusal.value.attempt.status == 202
        assert len(server.requests) == 1

    def test_is_refused_without_an_answer(self):
        with pytest.raises(NotSaved, match="lost"):
            SuperOffice().save(Webhook(url=nobody_listens()))

    @pytest.mark.parametrize(
        "url", ["", "localhost:8000/hook", "ftp://localhost/", "http:///hook", "http://h:x/"]
    )
    def test_takes_only_http_and_https_addresses(self, url):
        with pytest.raises(ValueError, match=r"address|Port"):
            Webhook(url=url)


class TestRequest:
    """What SuperOffice puts on the wire."""

    def test_is_a_post_of_the_signed_body_with_its_documented_headers(self):
        event = notification()
        with answering(200) as server:
            (attempt,) = SuperOffice().deliver(Webhook(url=f"{server.url}?a=b", secret="s"), event)
        (request,) = server.requests
        assert request.path == "/hook?a=b"
        assert request.body == attempt.body
        assert request.payload == event
        assert request.header("Content-Type") == "application/json; charset=utf-8"
        assert (request.header("User-Agent") or "").startswith("NetServer-Webhook/")
        assert request.header("X-SuperOffice-Event") == "ticket.changed"
        assert request.header("X-SuperOffice-EventId") == event["EventId"] == attempt.event_id
        assert request.header("X-SuperOffice-Signature") == sign(request.body, "s")
        assert request.header("X-SuperOffice-Retry") is None
        assert request.header("X-Hook-Test") is None

    def test_spells_its_headers_now_this_way_now_that(self):
        superoffice = SuperOffice()
        with answering(200) as server:
            for _ in range(2):
                superoffice.deliver(Webhook(url=server.url, secret="s"), notification())
        spellings = {name for request in server.requests for name in request.headers}
        assert {"X-SuperOffice-EventId", "X-Superoffice-Eventid"} <= spellings
        assert {"X-SuperOffice-Signature", "X-Superoffice-Signature"} <= spellings

    def test_is_not_signed_without_a_secret(self):
        with answering(200) as server:
            SuperOffice().deliver(Webhook(url=server.url), notification())
        assert server.requests[0].header("X-SuperOffice-Signature") is None

    def test_has_the_headers_and_properties_the_webhook_injects(self):
        with answering(200) as server:
            webhook = Webhook(
                url=server.url,
                secret="s",
                headers={"X-Customer": "17"},
                properties={"Branch": {"city": "Tønsberg"}},
            )
            SuperOffice().deliver(webhook, notification())
        (request,) = server.requests
        assert request.header("X-Customer") == "17"
        assert request.payload["Branch"] == {"city": "Tønsberg"}
        assert request.header("X-SuperOffice-Signature") == sign(request.body, "s")

    def test_of_a_state_event_names_the_webhook_in_the_header_only(self):
        with answering(200) as server:
            SuperOffice().deliver(Webhook(url=server.url), notification("webhook.errors"))
        (request,) = server.requests
        assert request.header("X-SuperOffice-Event") == "webhook66.errors"
        assert request.payload["Event"] == "webhook.errors"

    @pytest.mark.parametrize(
        "sent", [b"", b"\xff", b"[1]", b"[" * 100_000, b'{"Event":"a\\nb \\u00e6","EventId":7}']
    )
    def test_takes_any_bytes_as_they_are(self, sent):
        with answering(200) as server:
            (attempt,) = SuperOffice().deliver(Webhook(url=server.url, secret="s"), sent)
        assert attempt.succeeded
        assert server.requests[0].body == sent
        assert server.requests[0].header("X-SuperOffice-Signature") == sign(sent, "s")

    def test_headers_hold_nothing_that_would_break_them(self):
        made_up = headers({"Event": "a\r\nX-Evil: æ", "EventId": None}, b"")
        assert made_up["X-SuperOffice-Event"] == "a??X-Evil: ?"
        assert "X-SuperOffice-EventId" not in made_up


class TestRetrying:
    """Three attempts a cycle, nine failures in a row, and it is over."""

    def test_tries_three_times_with_the_same_body_after_0_1_and_4_seconds(self):
        pauses: list[float] = []
        with answering(503, 500, 200) as server:
            attempts = SuperOffice(sleep=pauses.append).deliver(
                Webhook(url=server.url), notification()
            )
        assert pauses == [1, 4]
        assert [(a.status, a.retry, a.succeeded) for a in attempts] == [
            (503, 0, False),
            (500, 1, False),
            (200, 2, True),
        ]
        assert len({request.body for request in server.requests}) == 1
        assert [r.header("X-SuperOffice-Retry") for r in server.requests] == [None, "1", "2"]

    @pytest.mark.parametrize("status", [201, 202, 204, 301, 302, 401, 404, 500, 503])
    def test_only_200_is_a_success(self, status):
        with answering(status) as server:
            attempts = impatient().deliver(Webhook(url=server.url), notification())
        assert [attempt.status for attempt in attempts] == [status] * 3
        assert not any(attempt.succeeded for attempt in attempts)

    def test_follows_no_redirect(self):
        with answering(200) as elsewhere, answering(308, location=elsewhere.url) as server:
            impatient().deliver(Webhook(url=server.url), notification())
        assert elsewhere.requests == []

    def test_ends_the_webhook_at_once_after_410(self):
        webhook = Webhook(url="http://replaced.invalid/")
        with answering(410) as server:
            webhook.url = server.url
            assert len(impatient().deliver(webhook, notification())) == 1
        assert webhook.state == State.TOO_MANY_ERRORS

    def test_ends_the_webhook_after_nine_failures_in_a_row(self):
        superoffice = impatient()
        with answering(500) as server:
            webhook = Webhook(url=server.url)
            for cycle in range(3):
                assert webhook.state == State.ACTIVE, cycle
                assert len(superoffice.deliver(webhook, notification())) == 3
            assert webhook.state == State.TOO_MANY_ERRORS
            assert superoffice.deliver(webhook, notification()) == []
        assert len(server.requests) == 9

    def test_ends_the_webhook_in_the_middle_of_a_cycle(self):
        with answering(500) as server:
            webhook = Webhook(url=server.url, errors=7)
            assert len(impatient().deliver(webhook, notification())) == 2

    def test_one_success_resets_the_count(self):
        with answering(500, 500, 200) as server:
            webhook = Webhook(url=server.url, errors=6)
            impatient().deliver(webhook, notification())
        assert (webhook.errors, webhook.state) == (0, State.ACTIVE)

    def test_sends_again_once_the_webhook_is_saved_again(self):
        superoffice = impatient()
        with answering(200, *[500] * 9, 200) as server:
            webhook = Webhook(url=server.url)
            superoffice.save(webhook)
            for _ in range(4):
                superoffice.send(notification())
            assert webhook.state == State.TOO_MANY_ERRORS
            superoffice.save(webhook)
            (attempt,) = superoffice.send(notification())
        assert attempt.succeeded
        assert (webhook.errors, webhook.state) == (0, State.ACTIVE)

    def test_a_refused_connection_is_a_failure_without_a_status(self):
        webhook = Webhook(url=nobody_listens())
        attempts = impatient().deliver(webhook, notification())
        assert [attempt.status for attempt in attempts] == [None] * 3
        assert all(attempt.error for attempt in attempts)
        assert webhook.errors == 3

    @pytest.mark.parametrize("url", ["http://a..b/", "http://127.0.0.1/ø", "http://127.0.0.1/a b"])
    def test_an_address_nobody_can_have_is_a_failure_too(self, url):
        (attempt,) = SuperOffice(delays=(0,)).deliver(Webhook(url=url), notification())
        assert attempt.status is None
        assert attempt.error

    def test_silence_is_a_failure_after_the_timeout(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            started = time.monotonic()
            (attempt,) = SuperOffice(timeout=0.05, delays=(0,)).deliver(
                Webhook(url=url), notification()
            )
        assert (attempt.status, attempt.error) == (None, "timed out")
        assert 0.05 <= attempt.elapsed <= time.monotonic() - started


class TestFanOut:
    """One event, several webhooks."""

    def test_sends_one_event_id_under_each_webhooks_own_name_secret_and_address(self):
        superoffice = SuperOffice()
        with answering(200) as first, answering(200) as second:
            superoffice.save(Webhook(url=first.url, secret="one", name="First"))
            superoffice.save(Webhook(url=second.url, secret="two", name="Second"))
            attempts = superoffice.send(notification("ticket.created"))
        assert [attempt.webhook for attempt in attempts] == ["First", "Second"]
        assert len({attempt.event_id for attempt in attempts}) == 1
        for server, name, secret in ((first, "First", "one"), (second, "Second", "two")):
            request = server.requests[-1]
            assert request.payload["WebhookName"] == name
            assert request.header("X-SuperOffice-Signature") == sign(request.body, secret)

    def test_sends_to_those_who_listen(self):
        superoffice = SuperOffice()
        with answering(200) as server:
            for name, events in (
                ("tickets", ["ticket.*"]),
                ("sales", ["sale.sold", "sale.lost"]),
                ("states", ["webhook66.errors"]),
            ):
                superoffice.save(Webhook(url=server.url, name=name, events=events))
            heard = {
                name: [attempt.webhook for attempt in superoffice.send(notification(name))]
                for name in ("ticket.changed", "Sale.Lost", "contact.created", "webhook.errors")
            }
        assert heard == {
            "ticket.changed": ["tickets"],
            "Sale.Lost": ["sales"],
            "contact.created": [],
            "webhook.errors": ["states"],
        }

    def test_one_webhooks_failures_are_not_the_others(self):
        superoffice = impatient()
        with answering(200, 500) as broken, answering(200) as sound:
            bad, good = Webhook(url=broken.url), Webhook(url=sound.url)
            superoffice.save(bad)
            superoffice.save(good)
            for _ in range(4):
                superoffice.send(notification())
        assert (bad.state, good.state) == (State.TOO_MANY_ERRORS, State.ACTIVE)
        assert len(sound.requests) == 5

    def test_counts_right_from_several_threads(self):
        superoffice = impatient()
        with answering(200) as server, ThreadPoolExecutor(8) as threads:
            webhook = Webhook(url=server.url, errors=8)
            superoffice.save(webhook)
            sent = list(threads.map(lambda _: superoffice.send(notification()), range(80)))
        assert all(attempt.succeeded for attempts in sent for attempt in attempts)
        assert len(server.requests) == 81
        assert webhook.errors == 0


class TestAgainstUs:
    """The sender and the app, over real HTTP."""

    def test_a_saved_webhook_and_its_events_arrive(self, live_server, connect):
        seen = connect(signals.ticket_changed, Receiver())
        superoffice = SuperOffice()
        superoffice.save(Webhook(url=live_server.url + URL, secret=SECRET, name="Desk"))
        (attempt,) = superoffice.send(notification("ticket.changed", Changes=["priority"]))
        event = concluded(attempt.event_id)
        assert attempt.succeeded
        assert (event.webhook_name, event.changes, event.problems) == ("Desk", ("priority",), [])
        assert event.status == Event.Status.SUCCEEDED
        assert seen.called_with == [attempt.event_id]

    def test_a_retry_is_one_event_and_one_redelivery(self, live_server):
        superoffice = SuperOffice()
        webhook = Webhook(url=live_server.url + URL, secret=SECRET)
        event = notification("ticket.created")
        first = superoffice.attempt(webhook, event)
        concluded(first.event_id)
        again = superoffice.attempt(webhook, event, retry=1)
        assert (first.status, again.status) == (200, 200)
        assert Redelivery.objects.get().retry == 1
        assert Event.objects.count() == 1

    def test_a_wrong_secret_is_not_saved(self, live_server):
        with pytest.raises(NotSaved, match="401"):
            SuperOffice().save(Webhook(url=live_server.url + URL, secret="wrong"))


def test_an_attempt_cannot_be_changed():
    (attempt,) = SuperOffice(delays=(0,)).deliver(Webhook(url=nobody_listens()), notification())
    with pytest.raises(dataclasses.FrozenInstanceError):
        attempt.status = 200  # type: ignore[misc]


class Receiver:
    """Remembers the events it was called for."""

    def __init__(self) -> None:
        self.called_with: list[str] = []

    def __call__(self, event: Event, **kwargs: object) -> None:
        self.called_with.append(str(event.event_id))


def impatient() -> SuperOffice:
    """A sender that does not wait before a retry."""
    return SuperOffice(sleep=lambda seconds: None)


def nobody_listens() -> str:
    """An address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"http://127.0.0.1:{closed.getsockname()[1]}/"


def concluded(event_id: str) -> Event:
    """The event, once its receivers have run; they do after the answer."""
    deadline = time.monotonic() + 10
    while (event := Event.objects.get(event_id=event_id)).finished_at is None:
        assert time.monotonic() < deadline, "its receivers did not run"
        time.sleep(0.01)
    return event
