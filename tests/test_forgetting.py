"""What deliveries said of a person is forgotten; that something happened stays."""

import fcntl
from datetime import timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, FailureGroup, ReceiverRun, Redelivery, Rejection, Replay
from superoffice_hooks.receiving import spool
from superoffice_hooks.replay.running import Criteria, plan, replay
from superoffice_hooks.testing import dispatch_due
from superoffice_hooks.wire.notification import Delivery

from .conftest import SECRET, body

pytestmark = pytest.mark.django_db

ANN = "Ann Exempel"
BYTES = (bytes, bytearray, memoryview)
NAMED = {"FieldValues": {"name": ANN}, "ChangedByAssociateId": 7, "X": ANN}


def forget(**options) -> str:
    output = StringIO()
    call_command("superoffice_forget", interactive=False, stdout=output, **options)
    return output.getvalue()


def everything_stored() -> str:
    """Every column of every table of ours, as text."""
    rows = [
        row
        for model in apps.get_app_config("superoffice_hooks").get_models()
        for row in model._default_manager.order_by("pk").values_list()
    ]
    return "\n".join(
        bytes(value).decode("utf-8", "replace") if isinstance(value, BYTES) else str(value)
        for row in rows
        for value in row
    )


def raises(event, **kwargs):
    raise RuntimeError(f"{event.payload['X']} cannot be mailed")


@pytest.fixture
def of_ann(post, connect, one_attempt) -> Event:
    """An event about Ann that failed, was delivered twice and handled."""
    connect(signals.any_event, raises)
    first = body("contact.changed", PrimaryKey=123, Changes=["name"], **NAMED)
    post(first)
    event = Event.objects.latest("pk")
    post(body("contact.changed", EventId=str(event.event_id), PrimaryKey=123, **NAMED))
    event.refresh_from_db()
    assert event.handle(who="bob", reason=f"Told {ANN}")
    return event


def test_nothing_of_it_is_left_in_any_table(of_ann):
    assert ANN in everything_stored()
    assert "Emptied 1 event." in forget(record="contact:123")
    assert ANN not in everything_stored()


def test_what_stands_in_a_key_of_the_event_and_should_not_goes_too(post):
    odd = {"Changes": ["name", {"name": ANN}], "WebhookName": {"name": ANN}}
    post(body("contact.changed", **{**NAMED, **odd}, PrimaryKey=123))
    forget(record="contact:123")
    assert ANN not in everything_stored()
    assert Event.objects.get().changes == ("name",)


@pytest.mark.django_db(transaction=True)
def test_the_error_of_a_call_that_was_for_other_events_too_goes_from_all(post, connect):
    def publishes(events, **kwargs):
        transaction.on_commit(lambda: int(ANN))

    connect(signals.any_event, publishes, batch=2)
    post(body("contact.changed", **{**NAMED, "PrimaryKey": 123}))
    post(body("contact.changed", PrimaryKey=5))
    dispatch_due(later=timedelta(hours=1), raises=False)
    assert ANN in ReceiverRun.objects.get(event__primary_key=5).error
    forget(record="contact:123")
    assert ANN not in everything_stored()


def test_what_people_wrote_goes_if_it_is_of_this_record_alone(post, of_ann):
    post(body("contact.changed", PrimaryKey=5))
    for criteria in ({"entity": "contact", "primary_key": 123}, {"ids": (of_ann.pk,)}, {}):
        replay(plan(Criteria(**criteria), who="bob", reason=f"For {ANN}"))
    # Selects nothing, so it has no run.
    replay(plan(Criteria(entity="contact", primary_key=123, name="none"), who="bob", reason=ANN))
    FailureGroup.objects.filter(runs__event=of_ann).distinct().get().resolve(
        who="bob", reason=f"Told {ANN}"
    )
    of_others = Replay.objects.order_by("pk")[2]
    assert "the reasons of 3 replays and 1 failure group" in forget(record="contact:123")
    assert ANN not in everything_stored().replace(of_others.reason, "", 1)


def test_an_example_of_a_failure_group_is_that_of_another_event(post, of_ann):
    post(body("contact.changed", PrimaryKey=5, X="Bob"))
    forget(record="contact:123")
    assert FailureGroup.objects.get().error == "RuntimeError: Bob cannot be mailed"


def test_that_it_happened_stays(of_ann):
    forget(record="contact:123")
    event = Event.objects.get()
    assert (event.event_id, event.name, event.primary_key, event.status) == (
        of_ann.event_id,
        "contact.changed",
        123,
        "handled",
    )
    assert event.changes == ("name",)
    assert event.occurred_at == of_ann.occurred_at
    assert event.associate_id is None
    assert event.problems == ["What it said was forgotten on request."]
    assert {run.error for run in event.runs.all()} == {"(forgotten)"}
    assert [handling.reason for handling in event.handlings.all()] == ["(forgotten)"]
    assert Redelivery.objects.filter(event=event).exists()


def test_again_changes_nothing_more(of_ann):
    forget(record="contact:123")
    before = everything_stored()
    forget(record="contact:123")
    assert everything_stored() == before


def test_other_records_and_tenants_stay_as_they_are(post, of_ann):
    post(body("contact.changed", PrimaryKey=1234, **NAMED))
    post(body("person.changed", PrimaryKey=123, **NAMED))
    post(body("contact.changed", PrimaryKey=123, ContextIdentifier="Cust2", **NAMED))
    forget(record="contact:123", tenant=of_ann.tenant)
    assert Event.objects.filter(pruned_at=None).count() == 3


def test_what_came_in_before_a_time_is_forgotten_of_all_records(post, of_ann):
    post(body("contact.changed", PrimaryKey=5, **NAMED))
    Event.objects.filter(pk=of_ann.pk).update(received_at=timezone.now() - timedelta(days=9))
    forget(before="7d")
    assert list(Event.objects.filter(pruned_at=None).values_list("primary_key", flat=True)) == [5]


def test_an_unfinished_event_is_left_alone_and_said(post, settings):
    settings.SUPEROFFICE_HOOKS = {"SECRETS": [SECRET], "DISPATCH": "worker"}
    post(body("contact.changed", PrimaryKey=123, **NAMED))
    with pytest.raises(CommandError, match="1 event of it are unfinished"):
        forget(record="contact:123")
    assert ANN in everything_stored()


def test_rejections_that_may_be_of_the_record_are_emptied(post):
    post(b'{"Entity": "contact", "PrimaryKey": 123, "x": "Ann', secret=SECRET)
    post(b'{"Entity": "contact", "PrimaryKey": 1234, "x": "Bob', secret=SECRET)
    post(b'{"Entity": "contact", "PrimaryKey": 123, "x": "Ann"}', secret="wrong")
    post('{"Entity": "contact", "PrimaryKey": 123, "x": "Ann'.encode("utf-16"), secret=SECRET)
    forget(record="contact:123")
    left = [bytes(rejection.body) for rejection in Rejection.objects.all()]
    assert sorted(map(len, left))[:2] == [0, 0]
    assert [text for text in left if b"Ann" in text.replace(b"\0", b"")] == []
    assert [text for text in left if b"Bob" in text] != []


def test_what_waits_in_the_spool_is_stored_first_and_then_forgotten(settings, tmp_path, post):
    settings.SUPEROFFICE_HOOKS = {"SECRETS": [SECRET], "SPOOL_DIR": tmp_path}
    sent = body("contact.changed", PrimaryKey=123, **NAMED)
    spool.put(
        Delivery(
            endpoint="default",
            body=sent,
            headers={},
            remote_addr=None,
            received_at=timezone.now(),
            signed=True,
        )
    )
    with pytest.raises(CommandError, match="unfinished"):
        forget(record="contact:123")
    assert spool.standing().length == 0
    assert Event.objects.get().primary_key == 123


def test_what_the_database_does_not_take_from_the_spool_is_said(settings, tmp_path):
    settings.SUPEROFFICE_HOOKS = {"SECRETS": [SECRET], "SPOOL_DIR": tmp_path}
    place = spool.folder()
    place.mkdir(parents=True)
    # Another process works on it.
    with (place / "1-a-1.delivery").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match="1 file in the spool of this machine may be of it"):
            forget(record="contact:123")


def test_a_replay_that_is_under_way_is_said(of_ann):
    plan(Criteria(entity="contact"), who="bob", reason="again").release()
    with pytest.raises(CommandError, match="1 replay under way"):
        forget(record="contact:123")


def test_files_that_were_set_aside_are_deleted_if_they_may_be_of_the_record(settings, tmp_path):
    settings.SUPEROFFICE_HOOKS = {"SECRETS": [SECRET], "SPOOL_DIR": tmp_path}
    aside = spool.folder() / spool.SET_ASIDE
    aside.mkdir(parents=True)
    (aside / "1.delivery").write_bytes(b'contact 123 "Ann')
    (aside / "2.delivery").write_bytes(b'contact 1234 "Bob')
    assert "Would delete 1 file " in forget(record="contact:123", dry_run=True)
    forget(record="contact:123")
    assert [path.name for path in aside.iterdir()] == ["2.delivery"]


def test_a_dry_run_changes_nothing(of_ann):
    before = everything_stored()
    assert "Would empty 1 event." in forget(record="contact:123", dry_run=True)
    assert everything_stored() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Say what to forget"),
        ({"record": "contact"}, "as contact:123"),
        ({"record": ""}, "no value"),
        ({"before": "yesterday"}, "--before"),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(options, message):
    with pytest.raises(CommandError, match=message):
        forget(**options)


def test_it_asks_before(of_ann, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    with pytest.raises(CommandError, match=r"Nothing was changed\."):
        call_command("superoffice_forget", record="contact:123", stdout=StringIO())
    assert ANN in everything_stored()


def test_without_a_terminal_it_says_how_to_confirm(of_ann, monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO())
    with pytest.raises(CommandError, match=r"nothing was changed\. Use --no-input"):
        call_command("superoffice_forget", record="contact:123", stdout=StringIO())
    assert ANN in everything_stored()
