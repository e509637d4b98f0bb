"""Pages of a long table: none reads more than it may, and together they have every row."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks.models import Rejection, Replay
from superoffice_hooks.models.paging import pages
from superoffice_hooks.models.paging.pages import Listing, Place, keys_of, page, page_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 19, 12, tzinfo=UTC)


@pytest.fixture
def rows():
    """Twelve rejections, three at each moment; every fourth of them verified."""
    Rejection.objects.bulk_create(
        Rejection(
            received_at=NOON + timedelta(minutes=number // 3),
            reason="a test",
            verified=number % 4 == 0,
            body=b"",
        )
        for number in range(12)
    )
    return list(Rejection.objects.order_by("pk").values_list("pk", flat=True))


def read(listing: Listing, *, older: bool, size: int) -> list[list[int]]:
    """The keys of all pages."""
    found, place, first = [], None, True
    while first or place is not None:
        one = page(listing, place, older=older, size=size)
        found.append(one.keys)
        place, first = (one.older if older else one.newer), False
    return found


def flat(found: list[list[int]]) -> list[int]:
    return [key for keys in found for key in keys]


def all_rows() -> Listing:
    rows = Rejection.objects.all()
    return Listing(rows, rows)


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("size", [1, 2, 5, 12, 20])
def test_pages_together_have_every_row_once_in_order(rows, size, older):
    found = read(all_rows(), older=older, size=size)
    assert flat(found) == (rows[::-1] if older else rows)
    assert all(len(keys) == size for keys in found[:-1])


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("keys", ["named", "looked for"])
def test_a_condition_leaves_out_rows_and_no_others(rows, older, keys, monkeypatch):
    monkeypatch.setattr(pages, "MAX_ROWS", 4)
    verified = Rejection.objects.filter(verified=True)
    named = set(rows) if keys == "named" else None
    found = read(Listing(Rejection.objects.all(), verified, named), older=older, size=2)
    left = [rows[0], rows[4], rows[8]]
    assert flat(found) == (left[::-1] if older else left)


@pytest.mark.parametrize("older", [True, False])
def test_a_table_may_be_in_the_order_of_its_key(older, monkeypatch):
    monkeypatch.setattr(pages, "MAX_ROWS", 4)
    keys = [Replay.objects.create(who="bob", reason=str(n % 5)).pk for n in range(11)]
    scope = Replay.objects.all()
    whole = read(Listing(scope, scope, time=""), older=older, size=3)
    assert flat(whole) == (keys[::-1] if older else keys)
    some = read(Listing(scope, Replay.objects.filter(reason="0"), time=""), older=older, size=3)
    assert flat(some) == (keys[::-5] if older else keys[::5])


def test_the_place_between_two_pages_leads_both_ways(rows):
    newest = page(all_rows(), None, older=True, size=5)
    assert newest.newer is None
    older = page(all_rows(), newest.older, older=True, size=5)
    assert older.newer == newest.older
    back = page(all_rows(), older.newer, older=False, size=5)
    assert back.keys == newest.keys[::-1]
    assert (back.older, back.newer) == (older.newer, None)


def test_no_more_than_so_many_rows_are_looked_through(rows, monkeypatch):
    monkeypatch.setattr(pages, "MAX_ROWS", 4)
    nothing = Rejection.objects.filter(reason="another")
    one = page(Listing(Rejection.objects.all(), nothing), None, older=True, size=5)
    # Those of one moment stay together, so six were looked through.
    assert (one.keys, one.older) == ([], Place((NOON + timedelta(minutes=2),), 0))


def test_a_page_without_conditions_takes_one_query(rows):
    with CaptureQueriesContext(connection) as captured:
        page(all_rows(), None, older=True, size=2)
    assert len(captured) == 1


def test_rows_that_are_known_are_paged_alike():
    places = [Place((NOON + timedelta(minutes=n % 3),), n) for n in range(7)]
    newest = page_of(places, None, older=True, size=3)
    assert newest.keys == [5, 2, 4]
    assert page_of(places, newest.older, older=True, size=9).keys == [1, 6, 3, 0]
    assert page_of(places, newest.older, older=False, size=9).keys == [4, 2, 5]


def test_few_keys_are_named_and_many_are_none(rows, monkeypatch):
    monkeypatch.setattr(pages, "MAX_KEYS", 3)
    verified = Rejection.objects.order_by("pk")
    assert keys_of(verified.filter(verified=True)) == {rows[0], rows[4], rows[8]}
    assert keys_of(verified) is None
