"""Reading a delivery: documented bodies as documented, strange ones without a stumble."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from django.utils.datastructures import CaseInsensitiveMapping

from superoffice_hooks.wire.body import MAX_CHANGES, MAX_CHANGES_LENGTH
from superoffice_hooks.wire.notification import Delivery, Notification, Unreadable

from ..conftest import PAYLOADS, documented

BROKEN = {
    "chat-events-01-chatsession.created",
    "chat-events-02-chatsession.message",
    "contact-events-01-contact.created",
}


def delivery(body: bytes, **headers: str) -> Delivery:
    return Delivery(
        endpoint="default",
        body=body,
        headers=CaseInsensitiveMapping({k.replace("_", "-"): v for k, v in headers.items()}),
        remote_addr=None,
        received_at=datetime.now(UTC),
    )


def parse(body: bytes | dict[str, object], **headers: str) -> Notification:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Notification.parse(delivery(sent, **headers))


def test_ticket_changed_reads_as_the_seed_page_shows_it():
    notification = parse(documented("seed-ticket.changed"))
    assert notification.event_id == uuid.UUID("1fc5752a-6de8-412d-847a-12d5529a0ec6")
    assert notification.name == "ticket.changed"
    assert (notification.entity, notification.action) == ("ticket", "changed")
    assert notification.primary_key == 527331
    assert notification.tenant == "Default"
    assert notification.associate_id == 37201
    assert notification.webhook_name == "Name you provided"
    assert notification.occurred_at == datetime(2018, 4, 24, 8, 13, 2, 835217, tzinfo=UTC)
    assert len(notification.changes) == 47
    assert notification.changes[:2] == ("created_at", "title")
    assert notification.changes[-1] == "ticket_type"
    assert notification.problems == ()


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.stem)
def test_every_documented_body_reads_without_a_problem_or_is_no_json(path):
    if path.stem in BROKEN:
        with pytest.raises(Unreadable, match="not JSON"):
            parse(path.read_bytes())
        return
    notification = parse(path.read_bytes())
    sent = json.loads(path.read_bytes())
    assert notification.problems == ()
    assert notification.payload == sent
    assert notification.name == sent["Event"]
    assert notification.primary_key == sent["PrimaryKey"]
    assert list(notification.changes) == sent.get("Changes", [])


def test_the_event_name_is_compared_without_case():
    assert parse({"Event": " Ticket.Changed "}).name == "ticket.changed"


class TestEventId:
    """The body's, else one derived from the body; never the header's, which nobody signed."""

    def test_the_body_wins_over_the_header(self):
        body = documented("test-event-01-test")
        notification = parse(body, X_SuperOffice_EventId="f0a473ae-6194-4701-8fd1-49caf355067a")
        assert str(notification.event_id) == "4b5ce038-50f2-4796-bdb2-f96908cf31c2"

    @pytest.mark.parametrize(
        "header", ["f0a473ae-6194-4701-8fd1-49caf355067a", "no guid", "", "\x00"]
    )
    def test_a_body_without_any_gets_one_that_a_retry_gets_too_whatever_the_header(self, header):
        body = documented("reference-index-01-sale.deleted")
        assert parse(body, X_Superoffice_Eventid=header).event_id == parse(body).event_id
        assert parse(body).event_id != parse(body + b" ").event_id

    @pytest.mark.parametrize("sent", ["no guid", "x" * 5000, 17, ["a"], True, "\x00"])
    def test_one_that_is_no_guid_still_tells_events_apart(self, sent):
        first = parse({"Event": "a.b", "EventId": sent, "Timestamp": None})
        again = parse({"Event": "a.b", "EventId": sent, "PrimaryKey": 1})
        assert first.event_id == again.event_id != parse({"EventId": "another"}).event_id
        assert "EventId is no GUID; a fixed one was derived from it." in first.problems


class TestOddValues:
    """Each gives a problem in words and a value that can be stored."""

    @pytest.mark.parametrize("sent", [10**30, -(2**63) - 1, 2**63, "x", "²", 1.5, True, [], {}])
    def test_a_number_that_is_none(self, sent):
        notification = parse({"Event": "a.b", "PrimaryKey": sent})
        assert notification.primary_key is None
        assert notification.problems == ("PrimaryKey is not a 64-bit number.",)

    @pytest.mark.parametrize("sent", [0, -1, 2**63 - 1, "527331"])
    def test_a_number_that_is_one(self, sent):
        notification = parse({"Event": "a.b", "PrimaryKey": sent})
        assert notification.primary_key == int(sent)
        assert notification.problems == ()

    @pytest.mark.parametrize(
        ("sent", "changes"),
        [("priority", ()), (7, ()), ({}, ()), (["a", 1, None, "b"], ("a", "b"))],
    )
    def test_changes_that_are_no_list_of_names(self, sent, changes):
        notification = parse({"Event": "a.b", "Changes": sent})
        assert notification.changes == changes
        assert notification.problems == ("Changes is not a list of names.",)

    def test_changes_null_is_as_good_as_empty(self):
        notification = parse({"Event": "a.b", "Changes": None})
        assert (notification.changes, notification.problems) == ((), ())

    def test_more_changes_than_anybody_could_mean(self):
        notification = parse(
            {"Event": "a.b", "Changes": [f"x_{n}" for n in range(MAX_CHANGES + 1)]}
        )
        assert len(notification.changes) == MAX_CHANGES
        assert len(notification.payload["Changes"]) == MAX_CHANGES + 1
        assert "the rest counts for nothing" in notification.problems[0]

    def test_names_of_changes_that_are_longer_than_anybody_could_mean(self):
        names = ["x" * 3000] * 10
        notification = parse({"Event": "a.b", "Changes": names})
        assert notification.changes == tuple(names[:6])
        assert sum(map(len, notification.changes)) <= MAX_CHANGES_LENGTH
        assert "the rest counts for nothing" in notification.problems[0]

    @pytest.mark.parametrize(
        "sent",
        [
            b'{"Event": "a.b", "PrimaryKey": 1, "PrimaryKey": 2}',
            b'{"Event": "a.b", "PrimaryKey": 2, "FieldValues": {"a": 1, "a": 1}}',
            b'{"Event": "a.b", "PrimaryKey": 2, "x": [' + b'{"a": 1, "a": 2},' * 5000 + b"{}]}",
        ],
        ids=["at the top", "below", "everywhere"],
    )
    def test_a_key_that_comes_more_than_once_is_one_problem(self, sent):
        notification = parse(sent)
        assert notification.primary_key == 2
        assert notification.problems == (
            "The body has a key more than once; the last value counts.",
        )

    @pytest.mark.parametrize("name", ["İ" * 60, "İ" * 100, "ß" * 100, "ŉ. " * 60, "x" * 99 + " y"])
    def test_a_name_fits_its_column_in_lower_case(self, name):
        notification = parse({"Event": name})
        assert len(notification.name) <= 100
        assert notification.name == notification.name.lower().strip()
        assert len(notification.entity) + len(notification.action) <= 100

    def test_a_name_that_only_lower_case_makes_too_long_is_a_problem(self):
        problems = parse({"Event": "İ" * 60}).problems
        assert problems == ("Event is longer than 100 characters and was cut.",)

    def test_text_that_is_none_or_too_long(self):
        notification = parse({"Event": "a" * 200, "ContextIdentifier": 5, "WebhookName": None})
        assert notification.name == "a" * 100
        assert (notification.tenant, notification.webhook_name) == ("", "")
        assert notification.problems == (
            "Event is longer than 100 characters and was cut.",
            "ContextIdentifier is not text.",
        )

    @pytest.mark.parametrize("sent", ["yesterday", 5, "9999-12-31T23:59:59-14:00", ["x"]])
    def test_a_timestamp_that_is_none(self, sent):
        notification = parse({"Event": "a.b", "Timestamp": sent})
        assert notification.occurred_at is None
        assert notification.problems == ("Timestamp is not a readable timestamp.",)

    def test_a_timestamp_without_offset_is_said_to_be_local(self):
        notification = parse({"Event": "a.b", "Timestamp": "2018-04-24T08:13:02"})
        assert notification.occurred_at == datetime(2018, 4, 24, 8, 13, 2)  # noqa: DTZ001
        assert "no offset" in notification.problems[0]

    def test_a_body_that_names_no_event(self):
        assert parse({}).name == ""
        assert parse({}).problems == ("The body names no event.",)

    @pytest.mark.parametrize("name", [{}, {"Event": ""}, {"Event": ".changed"}])
    def test_a_number_without_an_entity_is_of_no_record(self, name):
        notification = parse({**name, "PrimaryKey": 7})
        assert notification.primary_key is None
        assert "PrimaryKey counts for nothing" in notification.problems[-1]
        assert notification.payload["PrimaryKey"] == 7

    @pytest.mark.parametrize("sent", [b"NaN", b"[Infinity, -Infinity]", b"1e999"])
    def test_numbers_json_does_not_know(self, sent):
        notification = parse(b'{"Event": "a.b", "x": %s}' % sent)
        assert len(notification.problems) == 1
        json.dumps(notification.payload, allow_nan=False)

    def test_a_number_with_more_digits_than_python_converts(self):
        notification = parse(b'{"Event": "a.b", "PrimaryKey": %s}' % (b"9" * 5000))
        assert notification.primary_key is None
        assert notification.payload["PrimaryKey"] == "9" * 5000

    def test_what_a_database_cannot_store_is_replaced_and_said_so(self):
        notification = parse(rb'{"Event": "a.b", "ContextIdentifier": "\u0000\ud800"}')
        assert notification.tenant == "\ufffd\ufffd"
        assert "replacements" in notification.problems[0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b"null", "not an object"),
        (b'"text"', "not an object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": "\xff"}', "not UTF-8"),
    ],
)
def test_what_is_no_json_object_is_unreadable(body, reason):
    with pytest.raises(Unreadable, match=reason):
        parse(body)


def test_an_unreadable_body_is_not_quoted():
    with pytest.raises(Unreadable) as caught:
        parse(b'{"password": hunter2}')
    assert "hunter2" not in str(caught.value)


def test_200_levels_of_nesting_are_read():
    assert parse(b'{"Event": "a.b", "x": %s}' % (b"[" * 200 + b"]" * 200)).name == "a.b"


@pytest.mark.parametrize(
    ("sent", "retry"),
    [
        ("2", 2),
        ("0", 0),
        (" 1 ", 1),
        ("", None),
        ("x", None),
        ("-1", None),
        ("99999", None),
        ("²", None),
    ],
)
def test_the_retry_header_is_a_small_number_or_nothing(sent, retry):
    assert delivery(b"", X_SuperOffice_Retry=sent).retry == retry


def test_only_harmless_headers_are_kept_and_none_is_long():
    kept = delivery(
        b"",
        Cookie="sessionid=1",
        Authorization="Bearer x",
        X_SuperOffice_Signature="abc",
        X_My_Api_Key="injected by a webhook definition",
        User_Agent="NetServer-Webhook/8.8.6684.1719",
        X_SuperOffice_Event="e" * 5000,
    ).kept_headers()
    assert kept == {
        "User-Agent": "NetServer-Webhook/8.8.6684.1719",
        "X-SuperOffice-Event": "e" * 200,
    }
