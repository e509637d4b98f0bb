"""Conditions name the events that meet them if they are few, and else are asked of each."""

import pytest

from superoffice_hooks import signals
from superoffice_hooks.models import Event
from superoffice_hooks.models.paging import pages
from superoffice_hooks.models.paging.conditions import Changed, Ran

from ...conftest import body

pytestmark = pytest.mark.django_db

FAILS, WORKS = (
    "tests.models.paging.test_conditions.fails",
    "tests.models.paging.test_conditions.works",
)


def fails(**kwargs):
    raise ValueError


def works(**kwargs):
    """Does what it should."""


@pytest.fixture
def events(post, connect) -> list[Event]:
    """A sale for which one receiver failed, a ticket for which another worked, and a third."""
    connect(signals.sale_sold, fails)
    connect(signals.ticket_changed, works)
    for name, changes in (
        ("sale.sold", ["amount", "status"]),
        ("ticket.changed", ["priority", "Status"]),
        ("ticket.created", []),
    ):
        post(body(name, Changes=changes))
    return list(Event.objects.order_by("pk"))


CONDITIONS = [
    (Changed(("amount",)), [0]),
    (Changed(("PRIORITY",)), [1]),
    (Changed(("status",)), [0, 1]),
    (Changed(("amount", "priority")), [0, 1]),
    (Changed(("no_such",)), []),
    (Ran(FAILS), [0]),
    (Ran(WORKS), [1]),
    (Ran(WORKS, "failed"), []),
    (Ran(FAILS, "failed"), [0]),
    (Ran("nobody"), []),
]


@pytest.mark.parametrize(("condition", "left"), CONDITIONS, ids=str)
def test_few_are_named(events, condition, left):
    narrowed, keys = condition.narrow(Event.objects.order_by("pk"))
    assert list(narrowed) == [events[place] for place in left]
    assert keys == {event.pk for event in narrowed}


@pytest.mark.parametrize(("condition", "left"), CONDITIONS, ids=str)
def test_many_are_asked_one_by_one(events, condition, left, monkeypatch):
    monkeypatch.setattr(pages, "MAX_KEYS", 0)
    narrowed, keys = condition.narrow(Event.objects.order_by("pk"))
    assert list(narrowed) == [events[place] for place in left]
    assert keys is None if left else keys in (None, set())


def test_an_outcome_alone_is_asked_of_each_event(events):
    narrowed, keys = Ran("", "failed").narrow(Event.objects.all())
    assert (list(narrowed), keys) == ([events[0]], None)


def test_conditions_can_follow_each_other(events, monkeypatch):
    monkeypatch.setattr(pages, "MAX_KEYS", 0)
    narrowed, _ = Changed(("status",)).narrow(Event.objects.all())
    narrowed, _ = Changed(("amount",)).narrow(narrowed)
    narrowed, _ = Ran(FAILS).narrow(narrowed)
    assert list(narrowed) == [events[0]]
