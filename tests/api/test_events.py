"""What the API tells of events: in the list, and of one."""

import json
from base64 import b64decode
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.exceptions import GiveUp, RetryLater
from superoffice_hooks.models import Event, Replay
from superoffice_hooks.replay.running import Criteria, plan, replay
from superoffice_hooks.wire.signature import sign

from ..conftest import SECRET, Poster, body, documented
from .conftest import VIEW, Caller, logged_in, raises

pytestmark = pytest.mark.django_db

EVENT_ID = "1fc5752a-6de8-412d-847a-12d5529a0ec6"
LISTED = [
    "id", "event_id", "event", "entity", "action", "primary_key", "tenant", "associate_id", "own",
    "webhook", "endpoint", "occurred_at", "received_at", "happened_at", "status", "stage",
    "attempts", "next_attempt_at", "finished_at", "problems", "changes", "payload",
]  # fmt: skip
DETAILED = [
    "superseded", "deaths", "begun_at", "begun_by", "calling", "handled_by", "handled_reason",
    "pruned_at", "remote_addr", "headers", "body", "changed_fields", "redeliveries", "runs",
]  # fmt: skip


def detail(viewer, event: Event, **query):
    return viewer.read(f"events/{event.pk}/", **query)


@pytest.mark.usefixtures("one_attempt")
def test_the_list_has_what_was_sent_and_what_became_of_it(viewer, event, connect):
    connect(signals.ticket_changed, raises)
    sent = event(EventId=EVENT_ID, PrimaryKey=42, Changes=["priority", "Title"])
    (row,) = viewer.rows("events/")
    assert list(row) == LISTED
    assert row["payload"] == sent.payload
    told = {name: row[name] for name in LISTED if not name.endswith("_at")}
    assert told == {
        "id": sent.pk,
        "event_id": EVENT_ID,
        "event": "ticket.changed",
        "entity": "ticket",
        "action": "changed",
        "primary_key": 42,
        "tenant": "Default",
        "associate_id": 37201,
        "own": False,
        "webhook": "Name you provided",
        "endpoint": "default",
        "status": "failed",
        "stage": None,
        "attempts": 1,
        "problems": [],
        "changes": ["priority", "Title"],
        "payload": sent.payload,
    }
    assert row["occurred_at"] == row["happened_at"] == "2018-04-24T10:13:02.835217+02:00"
    assert row["next_attempt_at"] is None
    assert row["received_at"] < row["finished_at"]


def test_what_occurred_at_no_readable_time_happened_when_it_was_received(viewer, event):
    event(Timestamp="once upon a time")
    (row,) = viewer.rows("events/")
    assert row["occurred_at"] is None
    assert row["happened_at"] == row["received_at"]
    assert row["problems"]


class TestEachField:
    """Asked for alone, of one event."""

    @pytest.fixture(scope="class")
    @classmethod
    def sent(cls, rows_of_the_class) -> Event:
        Poster()(body())
        return Event.objects.get()

    @pytest.fixture(scope="class")
    @classmethod
    def viewer(cls, rows_of_the_class) -> Caller:
        return logged_in("vera", *VIEW)

    @pytest.mark.parametrize("name", LISTED)
    def test_each_field_of_the_list_can_be_asked_for_alone(self, viewer, sent, name):
        (row,) = viewer.rows("events/", fields=name)
        (whole,) = viewer.rows("events/")
        assert row == {name: whole[name]}
        assert detail(viewer, sent, fields=name) == row

    @pytest.mark.parametrize("name", DETAILED)
    def test_each_field_of_the_detail_can_be_asked_for_alone(self, viewer, sent, name):
        assert detail(viewer, sent, fields=name) == {name: detail(viewer, sent)[name]}
        assert "fields" in viewer.mistakes("events/", fields=name)

    @pytest.mark.parametrize("name", [*LISTED, *DETAILED])
    def test_what_a_field_is_made_of_is_read_at_once(self, viewer, sent, name):
        with CaptureQueriesContext(connection) as captured:
            detail(viewer, sent, fields=name)
        # As Django's get() does, also for a column that was left out and is wanted after all.
        single = [
            q for q in captured if "superoffice_hooks_event" in q["sql"] and "LIMIT 21" in q["sql"]
        ]
        assert len(single) == 1


def test_fields_come_in_the_order_of_the_row_and_each_once(viewer, event):
    event()
    (row,) = viewer.rows("events/", fields="status, id,status,,event")
    assert list(row) == ["id", "event", "status"]


def columns_read(viewer, path: str, **query) -> str:
    """The statements that read rows, not keys alone."""
    with CaptureQueriesContext(connection) as captured:
        viewer.read(path, **query)
    return " ".join(q["sql"] for q in captured if "superoffice_hooks_event" in q["sql"])


def test_what_is_left_out_is_not_read_either(viewer, event):
    sent = event()
    for path in ("events/", "records/Default/ticket/528/", f"events/{sent.pk}/"):
        read = columns_read(viewer, path, fields="id,event,status")
        for column in ("payload", "body", "headers", "problems"):
            assert f'."{column}"' not in read.replace("`", '"')


def test_the_list_never_reads_a_body(viewer, event):
    event()
    assert ".body" not in columns_read(viewer, "events/").replace('"', "").replace("`", "")


@pytest.mark.parametrize("changes", [["priority", "Title"], [], "no list", None])
def test_changes_are_told_without_their_payload(viewer, event, changes):
    sent = event(Changes=changes)
    (row,) = viewer.rows("events/", fields="changes")
    assert row["changes"] == list(sent.changes)


def test_the_detail_has_all_that_the_list_has_and_more(viewer, event):
    sent = event(EventId=EVENT_ID)
    (row,) = viewer.rows("events/")
    told = detail(viewer, sent)
    assert list(told) == [*LISTED, *DETAILED]
    assert {name: told[name] for name in LISTED} == row


def test_changed_fields_have_labels_and_what_was_in_them(viewer, event):
    event("ticket.created", PrimaryKey=7, Changes=["status"], FieldValues={"Status": 1})
    sent = event(
        PrimaryKey=7,
        Timestamp="2018-04-24T09:00:00Z",
        Changes=["status", "last_changed", "x_Region"],
        FieldValues={"Status": 2, "x_Region": "[DT:09/16/2025 14:22:14.0000000]"},
    )
    status, last_changed, region = detail(viewer, sent)["changed_fields"]
    assert status["description"]
    assert {**status, "description": ""} == {
        "name": "status",
        "label": "Status",
        "description": "",
        "type": "Enum TicketBaseStatus",
        "noise": False,
        "known": True,
        "before": 1,
        "after": 2,
        "before_meaning": "Active",
        "after_meaning": "Closed",
    }
    assert (last_changed["noise"], last_changed["known"], last_changed["after"]) == (
        True,
        False,
        None,
    )
    assert (region["label"], region["after"]) == ("x_Region", "2025-09-16T14:22:14")


VALUES = {
    "I": "[I:6]", "A": "[A:3,4]", "F": "[F:1.5]", "M": "[M:123.45]", "D": "[D:09/16/2025]",
    "DT": "[DT:09/16/2025 14:22:14]", "T": "[T:14:22]", "TS": "[TS:500]", "B": "[B:1]",
    "number": 10**500, "tiny": 1e-300, "nested": {"a": [None, "[M:1.5]"]}, "flag": True,
    "much": "[M:1E999]",
}  # fmt: skip


def test_values_of_every_type_are_told(viewer, event):
    sent = event(Changes=[*VALUES], FieldValues=VALUES)
    told = {field["name"]: field["after"] for field in detail(viewer, sent)["changed_fields"]}
    assert told == {
        "I": 6, "A": [3, 4], "F": 1.5, "M": "123.45", "D": "2025-09-16",
        "DT": "2025-09-16T14:22:14", "T": "14:22:00", "TS": 500.0, "B": True,
        "number": 10**500, "tiny": 1e-300, "nested": {"a": [None, "1.5"]}, "flag": True,
        "much": "1E+999",
    }  # fmt: skip


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_has_not_are_no_error(viewer, post, number):
    sent = body().replace(b'"PrimaryKey"', f'"Odd": {number}, "PrimaryKey"'.encode())
    assert post(sent).status_code == 200
    assert viewer.rows("events/")
    assert detail(viewer, Event.objects.get())["body"]["content"].encode() == sent


@pytest.mark.usefixtures("one_attempt")
def test_runs_are_told_the_newest_first(viewer, event, connect):
    connect(signals.ticket_changed, raises)
    sent = event()
    replay(plan(Criteria(), who="anna", reason="again"))
    again, first = detail(viewer, sent)["runs"]
    assert first["receiver"] == again["receiver"] == "tests.api.conftest.raises"
    assert (first["replay"], again["replay"]) == (None, Replay.objects.get().pk)
    assert (first["outcome"], first["attempt"]) == ("failed", 1)
    assert first["error"] == "ValueError: no <b>such</b> ticket"
    assert first["traceback"].startswith("Traceback")
    assert first["started_at"] < again["started_at"]
    assert 0 <= first["seconds"] < 60


@pytest.mark.parametrize(
    ("error", "outcome"), [(GiveUp("never"), "gave_up"), (RetryLater(60), "postponed")]
)
def test_a_run_says_how_it_ended(viewer, event, connect, settings, error, outcome):
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "MAX_ATTEMPTS": 2}

    def steers(**kwargs):
        raise error

    connect(signals.ticket_changed, steers)
    (run,) = detail(viewer, event())["runs"]
    assert run["outcome"] == outcome


def test_redeliveries_are_told_the_newest_first_and_whether_they_differ(viewer, post):
    sent = json.loads(body(EventId=EVENT_ID))
    post(json.dumps(sent).encode())
    post(json.dumps(sent).encode(), headers={"X-SuperOffice-Retry": "2"})
    post(json.dumps(sent | {"WebhookName": "Another"}).encode())
    other, retry = detail(viewer, Event.objects.get())["redeliveries"]
    assert (retry["retry"], retry["webhook"], retry["differs"]) == (2, "Name you provided", False)
    assert (other["retry"], other["webhook"], other["differs"]) == (None, "Another", True)
    assert retry["received_at"] < other["received_at"]


def test_an_event_is_superseded_by_a_newer_one_of_its_record(viewer, event):
    old = event(PrimaryKey=7, Timestamp="2018-04-24T08:00:00Z")
    new = event(PrimaryKey=7, Timestamp="2018-04-24T09:00:00Z")
    assert detail(viewer, old)["superseded"] is True
    assert detail(viewer, new)["superseded"] is False


def test_a_body_is_told_as_it_was_sent(viewer, post):
    sent = documented("seed-ticket.changed")
    post(sent)
    told = detail(viewer, Event.objects.get())["body"]
    assert told["encoding"] == "utf-8"
    assert told["content"].encode() == sent


def test_a_body_that_is_no_utf_8_is_told_in_base64(viewer, post):
    sent = body(Title="x").decode().encode("utf-16")
    post(sent)
    told = detail(viewer, Event.objects.get())["body"]
    assert told["encoding"] == "base64"
    assert b64decode(told["content"]) == sent


def test_what_was_pruned_is_told_as_gone(viewer, event):
    sent = event()
    Event.objects.update(body=b"", headers={}, pruned_at=sent.received_at)
    told = detail(viewer, sent)
    assert told["body"] is None
    assert told["headers"] == {}
    assert told["pruned_at"] == told["received_at"]


def test_no_signature_cookie_secret_or_header_of_somebody_elses_is_told(viewer, post):
    sent = body()
    secrets = {
        "Authorization": "Bearer sesame-1",
        "Cookie": "session=sesame-2",
        "X-Api-Key": "sesame-3",
        "User-Agent": "SuperOffice",
    }
    post(sent, headers=secrets)
    stored = Event.objects.get()
    # As if an older version had kept more.
    Event.objects.update(headers={**stored.headers, "X-Api-Key": "sesame-4"})
    for path in ("events/", f"events/{stored.pk}/"):
        told = viewer.get(path).content.decode()
        assert "sesame" not in told
        assert SECRET not in told
        assert sign(sent, SECRET) not in told
    assert detail(viewer, stored)["headers"] == {
        "User-Agent": "SuperOffice",
        "Content-Type": "application/json; charset=utf-8",
    }


def test_hostile_text_is_data_and_no_markup(viewer, event):
    hostile = "<script>alert('x')</script>\u202e\x00"
    sent = event(WebhookName=hostile, Changes=[hostile], ContextIdentifier=hostile)
    told = detail(viewer, sent)
    assert told["webhook"] == hostile.replace("\x00", "\ufffd")
    assert told["changes"] == [hostile.replace("\x00", "\ufffd")]
    for path in ("events/", f"events/{sent.pk}/"):
        page = viewer.get(path, format="api").content.decode()
        assert "<script>alert" not in page


def test_an_error_of_the_database_is_no_reason_to_hold_a_transaction_open(viewer, event):
    """The views are not atomic, whatever ATOMIC_REQUESTS says."""
    event()
    with CaptureQueriesContext(connection) as captured:
        assert viewer.get("events/7777777/").status_code == 404
        assert viewer.get("events/", status="lost").status_code == 400
    assert not [q for q in captured if "SAVEPOINT" in q["sql"]]
    assert not connection.needs_rollback


BEGUN = {"claim": 7, "begun_at": timezone.now(), "attempts": 1}


@pytest.mark.parametrize(
    ("due_in", "columns", "stage"),
    [
        (-2, {}, "queued"),
        (200, {"claim": 7}, "queued"),
        (200, BEGUN, "running"),
        (-2, BEGUN, "queued"),
        (60, {"attempts": 1}, "retry"),
        (-301, {}, "overdue"),
        (-301, BEGUN, "overdue"),
    ],
)
@pytest.mark.parametrize("fields", ["", "id,stage"])
def test_an_unfinished_event_has_a_stage(viewer, event, due_in, columns, stage, fields):
    due_at = timezone.now() + timedelta(seconds=due_in)
    event()
    Event.objects.update(status="pending", attempts=0, next_attempt_at=due_at)
    Event.objects.update(**columns)
    query = {"fields": fields} if fields else {}
    (row,) = viewer.rows("events/", **query)
    assert row["stage"] == stage
    assert detail(viewer, Event.objects.get(), **query)["stage"] == stage


def test_the_detail_says_who_began_with_which_receiver(viewer, event):
    event()
    begun = {"begun_by": "web1 pid 42", "calling": "desk.follow", "deaths": 2}
    Event.objects.update(status="pending", next_attempt_at=timezone.now(), **BEGUN, **begun)
    told = detail(viewer, Event.objects.get())
    assert {name: told[name] for name in begun} == begun
    assert told["begun_at"]
    assert "claim" not in told
