"""A signed delivery that made no event is read again, once the reading of it is mended."""

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import override_settings

from superoffice_hooks.models import Event, Redelivery, Rejection
from superoffice_hooks.receiving import deliveries
from superoffice_hooks.wire.notification import Unreadable

from ..conftest import SECRET, before_the_fix, body

pytestmark = pytest.mark.django_db


def test_the_event_is_as_it_would_have_been_and_says_that_it_was_a_rejection(rejected):
    sent = body(PrimaryKey=527331)
    rejection = rejected(sent, headers={"User-Agent": "NetServer", "X-SuperOffice-Retry": "2"})
    event, is_due = deliveries.receive_again(rejection, "rita")
    assert is_due
    stored = Event.objects.get()
    assert stored == event
    assert (stored.primary_key, bytes(stored.body)) == (527331, sent)
    assert stored.headers["User-Agent"] == "NetServer"
    assert stored.headers["X-SuperOffice-Retry"] == "2"
    assert (stored.endpoint, stored.remote_addr) == ("default", "127.0.0.1")
    assert stored.received_at == rejection.received_at
    assert stored.problems == [
        "It was a rejection first (not storable: KeyError) and was parsed again by rita."
    ]
    assert not Rejection.objects.exists()


def test_what_is_still_unreadable_stays_a_rejection(post):
    post(b"not json")
    rejection = Rejection.objects.get()
    before = Rejection.objects.values().get()
    with pytest.raises(Unreadable, match="not JSON"):
        deliveries.receive_again(rejection, "rita")
    assert Rejection.objects.values().get() == before
    assert not Event.objects.exists()


def test_an_error_of_ours_leaves_the_rejection(rejected):
    rejection = rejected(body())
    with before_the_fix(), pytest.raises(Unreadable, match="not storable: KeyError"):
        deliveries.receive_again(rejection, "rita")
    assert Rejection.objects.get() == rejection


def test_an_event_the_database_cannot_hold_leaves_the_rejection(rejected, monkeypatch):
    def insert(event, using, **options):
        raise DatabaseError("value too long")

    rejection = rejected(body())
    monkeypatch.setattr("superoffice_hooks.models.event_queryset.insert", insert)
    with pytest.raises(Unreadable, match="not storable: DatabaseError"):
        deliveries.receive_again(rejection, "rita")
    assert Rejection.objects.get() == rejection
    assert not Event.objects.exists()


def test_an_event_that_is_stored_already_has_one_more_redelivery(post, rejected):
    sent = body()
    rejection = rejected(sent)
    post(sent)
    event, is_due = deliveries.receive_again(rejection, "rita")
    assert Event.objects.get() == event
    assert not is_due
    assert Redelivery.objects.get().received_at == rejection.received_at
    assert not Rejection.objects.exists()


def test_a_list_of_rejections_has_no_bodies_and_they_are_read_all_the_same(rejected):
    sent = body()
    rejected(sent)
    deliveries.receive_again(Rejection.objects.defer("body", "headers").get(), "rita")
    assert bytes(Event.objects.get().body) == sent


@pytest.mark.parametrize("unsigned", [True, False])
def test_what_nobody_signed_is_never_parsed(post, rejected, unsigned):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "ALLOW_UNSIGNED": unsigned}):
        if unsigned:
            rejection = rejected(body(), secret=None)
        else:
            post(body(), secret="wrong")
            rejection = Rejection.objects.get()
        for claimed in (False, True):
            rejection.verified = claimed
            with pytest.raises(Rejection.DoesNotExist):
                deliveries.receive_again(rejection, "rita")
    assert Rejection.objects.get() == rejection
    assert not Event.objects.exists()


def test_a_rejection_is_taken_once(rejected):
    rejection = rejected(body())
    deliveries.receive_again(rejection, "rita")
    with pytest.raises(Rejection.DoesNotExist):
        deliveries.receive_again(rejection, "rita")
    assert not Redelivery.objects.exists()


@override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})
def test_with_workers_the_event_is_due_at_once(rejected):
    rejection = rejected(body())
    Rejection.objects.update(received_at=rejection.received_at - timedelta(days=3))
    deliveries.receive_again(Rejection.objects.get(), "rita")
    assert Event.objects.due().exists()


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_make_one_event_and_no_redelivery(rejected):
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def parse(rejection: Rejection) -> None:
        together.wait()
        try:
            deliveries.receive_again(rejection, "rita")
        except Rejection.DoesNotExist:
            outcomes.append("too late")
        else:
            outcomes.append("event")
        finally:
            connection.close()

    for number in range(3):
        rejection = rejected(body(PrimaryKey=number))
        threads = [threading.Thread(target=parse, args=[rejection]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["event"] * 3 + ["too late"] * 3
    assert Event.objects.count() == 3
    assert not Redelivery.objects.exists()
