"""Bodies, headers and signatures nobody thought of: never another answer, never an unkept body."""

import json
from datetime import UTC, datetime

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from superoffice_hooks.models import Event, Rejection
from superoffice_hooks.wire.notification import Delivery, Notification, Unreadable
from superoffice_hooks.wire.signature import sign
from superoffice_hooks.wire.values import parse_timestamp, storable

from .conftest import SECRET, URL

pytestmark = pytest.mark.django_db

bounded = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# With surrogates, which JSON can carry as escapes.
text = st.text(st.characters(codec=None), max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)
)
keys = st.sampled_from(
    [
        "EventId",
        "Timestamp",
        "Changes",
        "Event",
        "PrimaryKey",
        "Entity",
        "ContextIdentifier",
        "ChangedByAssociateId",
        "WebhookName",
        "FieldValues",
    ]
)
likely = (
    values
    | st.uuids().map(str)
    | st.datetimes().map(datetime.isoformat)
    | st.sampled_from(["ticket.changed", "test", "webhook.errors", "9999-12-31T23:59:59-14:00"])
    | st.lists(text, max_size=5)
)
notifications = st.dictionaries(keys, likely).map(lambda sent: json.dumps(sent).encode())
bodies = notifications | values.map(lambda sent: json.dumps(sent).encode()) | st.binary()
header_values = st.text(st.characters(max_codepoint=255), max_size=300)
header_names = st.sampled_from(
    ["X-SuperOffice-Event", "X-SuperOffice-EventId", "X-SuperOffice-Retry", "X-Hook-Test"]
)
headers = st.dictionaries(header_names, header_values)


class TestSigned(TestCase):
    @bounded
    @given(sent=bodies, extra=headers)
    def test_is_answered_200_and_kept_to_the_byte(self, sent, extra):
        response = post(sent, {**extra, "X-SuperOffice-Signature": sign(sent, SECRET)})
        assert (response.status_code, response.content) == (200, b"OK")
        kept = [bytes(event.body) for event in Event.objects.all()]
        kept += [bytes(rejection.body) for rejection in Rejection.objects.filter(verified=True)]
        assert kept == [sent]
        assert set(Event.objects.values_list("status", flat=True)) <= {"skipped"}

    @settings(bounded, max_examples=20)
    @given(sent=bodies)
    def test_is_shown_in_the_admin(self, sent):
        post(sent, {"X-SuperOffice-Signature": sign(sent, SECRET)})
        browser = Client()
        browser.force_login(superuser())
        for row in (*Event.objects.all(), *Rejection.objects.all()):
            pages = f"/admin/superoffice_hooks/{row._meta.model_name}/"
            assert browser.get(pages).status_code == 200
            assert browser.get(f"{pages}{row.pk}/change/").status_code == 200


class TestUnsigned(TestCase):
    @bounded
    @given(sent=bodies, extra=headers, signature=header_values)
    def test_is_refused_and_bounded(self, sent, extra, signature):
        response = post(sent, {**extra, "X-SuperOffice-Signature": signature})
        assert (response.status_code, response.content) == (401, b"")
        assert not Event.objects.exists()
        assert len(bytes(Rejection.objects.get().body)) <= Rejection.objects.HEAD_BYTES

    @bounded
    @given(endpoint=st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1))
    def test_at_an_unknown_endpoint_is_404(self, endpoint):
        from urllib.parse import quote

        if endpoint not in {"default", ".", ".."}:
            assert post(b"{}", {}, f"{URL}{quote(endpoint)}/").status_code == 404


@bounded
@given(sent=bodies, extra=headers)
def test_reading_knows_one_error(sent, extra):
    delivery = Delivery(
        endpoint="default",
        body=sent,
        headers=extra,
        remote_addr=None,
        received_at=datetime.now(UTC),
    )
    try:
        notification = Notification.parse(delivery)
    except Unreadable:
        return
    stored = json.dumps(notification.payload, allow_nan=False)
    assert "\\u0000" not in stored
    stored.encode()


@bounded
@given(st.text() | st.datetimes().map(datetime.isoformat))
def test_a_timestamp_is_one_or_a_value_error(written):
    try:
        moment = parse_timestamp(written)
    except (ValueError, OverflowError):
        return
    assert moment is None or 1000 <= moment.year <= 9999


@bounded
@given(values)
def test_what_is_storable_stays_as_it_is(value):
    once = storable(value)
    assert repr(storable(once)) == repr(once)


def post(sent: bytes, extra: dict[str, str], url: str = URL):
    return Client(enforce_csrf_checks=True).post(
        url, sent, content_type="application/json", headers=extra
    )


def superuser():
    from django.contrib.auth.models import User

    return User.objects.get_or_create(username="sue", is_staff=True, is_superuser=True)[0]
