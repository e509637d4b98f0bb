"""REDACT: what it names is kept nowhere, wherever a delivery is kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Redelivery, Rejection
from superoffice_hooks.receiving import deliveries, spool

from ..conftest import SECRET, body
from ..test_forgetting import everything_stored

pytestmark = pytest.mark.django_db

ANN = "Ann Exempel"
REDACT = ["FieldValues.name", "*mail*", "Extra"]
SAID: dict[str, Any] = {
    "FieldValues": {"name": ANN, "status": 3},
    "X": {"e-mail": ANN},
    "Extra": [ANN],
}
KEPT = {
    "FieldValues": {"name": "(redacted)", "status": 3},
    "X": {"e-mail": "(redacted)"},
    "Extra": None,
}
NOTE = "FieldValues.name, X.e-mail, Extra; the signature was verified before"


@pytest.fixture(autouse=True)
def redact(tmp_path):
    hooks = {"SECRETS": [SECRET], "REDACT": REDACT, "SPOOL_DIR": tmp_path, "MAX_ATTEMPTS": 1}
    with override_settings(SUPEROFFICE_HOOKS=hooks):
        yield


def spooled(directory: Path) -> str:
    return "".join(path.read_text() for path in directory.rglob("*") if path.is_file())


def test_an_event_has_it_neither_in_the_payload_nor_in_the_body(post, connect):
    seen = []
    connect(signals.any_event, lambda event, **kwargs: seen.append(event.field_values["name"]))
    assert post(body("person.changed", **SAID)).status_code == 200
    event = Event.objects.get()
    assert event.payload == json.loads(bytes(event.body)) == event.payload | KEPT
    assert event.headers["redacted"] == NOTE
    assert (seen, event.problems) == (["(redacted)"], [])
    assert ANN not in everything_stored()


def test_a_redelivery_has_it_not_and_is_recognized(post):
    sent = body("person.changed", **SAID)
    post(sent)
    post(sent)
    assert Redelivery.objects.get().body is None
    post(sent.replace(b'"status": 3', b'"status": 4'))
    assert b'"status": 4' in bytes(Redelivery.objects.latest("pk").body or b"")
    assert ANN not in everything_stored()


def test_two_bodies_without_an_id_that_differ_in_it_alone_are_two_events(post):
    first = {key: value for key, value in json.loads(body(**SAID)).items() if key != "EventId"}
    sent = json.dumps(first).encode()
    for _ in range(2):
        post(sent)
        post(sent.replace(ANN.encode(), b"Bob Exempel"))
    assert Event.objects.count() == Redelivery.objects.count() == 2
    assert "Exempel" not in everything_stored()


def test_a_rejection_has_it_not_and_can_be_parsed_again(post):
    post(body("person.changed", **SAID) + b"}")
    post(b'{"e-mail": "' + ANN.encode() + b'", \xff')
    first, second = Rejection.objects.order_by("pk")
    assert first.headers["redacted"] == NOTE
    assert second.headers["redacted"] == "e-mail; the signature was verified before"
    Rejection.objects.filter(pk=first.pk).update(body=bytes(first.body)[:-1])
    first.refresh_from_db()
    event, _ = deliveries.receive_again(first, "sue")
    assert event.headers["redacted"] == NOTE
    assert ANN not in everything_stored()


def test_a_rejection_of_before_is_redacted_when_it_is_parsed_again(post):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET]}):
        post(body("person.changed", **SAID) + b"}")
    assert ANN in everything_stored()
    rejection = Rejection.objects.get()
    rejection.body = bytes(rejection.body)[:-1]
    rejection.save()
    deliveries.receive_again(rejection, "sue")
    assert ANN not in everything_stored()


@pytest.mark.parametrize("secret", [None, "a wrong one, long enough to be a secret"])
def test_what_is_refused_has_it_not(post, secret):
    assert post(body("person.changed", **SAID), secret=secret).status_code == 401
    post(b'{"x": "' + b"a" * 900 + b'", "Extra": "' + ANN.encode() * 50, secret=secret)
    first, second = Rejection.objects.order_by("pk")
    assert first.headers["redacted"].endswith("; the signature was not verified")
    assert len(bytes(second.body)) < 1024
    assert ANN not in everything_stored()


@pytest.mark.django_db(transaction=True)
def test_the_spool_has_it_not(post, database_away, tmp_path):
    with database_away():
        assert post(body("person.changed", **SAID)).status_code == 200
    assert "(redacted)" in spooled(tmp_path)
    assert ANN not in spooled(tmp_path)
    assert len(list(deliveries.drain())) == 1
    assert Event.objects.get().headers["redacted"] == NOTE
    assert spool.standing().length == 0
    assert ANN not in everything_stored()


def test_without_a_rule_nothing_is_noted(post):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET]}):
        sent = body("person.changed", **SAID)
        post(sent)
    event = Event.objects.get()
    assert bytes(event.body) == sent
    assert "redacted" not in event.headers


def test_a_lone_text_is_one_name(post):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "REDACT": "Extra"}):
        post(body("person.changed", **SAID))
    assert Event.objects.get().payload == Event.objects.get().payload | SAID | {"Extra": None}
