"""Pages follow each other without a gap and without a row twice, whatever comes in meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.test import override_settings

from superoffice_hooks.models import Event, paging

from ..conftest import Poster, body

pytestmark = pytest.mark.django_db

BOTH = pytest.mark.parametrize("ordering", ["-received_at", "received_at"])


def ids(page) -> list[int]:
    return [row["id"] for row in page["results"]]


def pages(viewer, path: str = "events/", **query) -> Iterator[dict[str, Any]]:
    """The pages one after the other, each asked for when it is wanted."""
    page = viewer.read(path, **query)
    yield page
    while page["next"]:
        page = viewer.read(page["next"])
        yield page


def flat(found: list[list[int]]) -> list[int]:
    return [key for keys in found for key in keys]


def in_order(keys: list[int], ordering: str) -> list[int]:
    return sorted(keys, reverse=ordering.startswith("-"))


@BOTH
def test_all_rows_are_on_some_page_in_order(viewer, event, ordering):
    keys = [event().pk for _ in range(7)]
    found = [ids(page) for page in pages(viewer, page_size=3, ordering=ordering)]
    assert [len(page) for page in found] == [3, 3, 1]
    assert flat(found) == in_order(keys, ordering)


def test_newest_first_is_the_order_unless_said_otherwise(viewer, event):
    keys = [event().pk for _ in range(3)]
    assert ids(viewer.read("events/")) == keys[::-1]


def test_fifty_rows_are_a_page_and_five_hundred_the_longest(viewer, event):
    for _ in range(51):
        event()
    page = viewer.read("events/")
    assert len(page["results"]) == 50
    assert len(viewer.read("events/", page_size=500)["results"]) == 51
    assert len(viewer.read(page["next"])["results"]) == 1


def test_a_full_last_page_has_no_next(viewer, event):
    for _ in range(4):
        event()
    first, last = pages(viewer, page_size=2)
    assert len(first["results"]) == len(last["results"]) == 2


def test_no_rows_are_one_empty_page(viewer):
    assert viewer.read("events/") == {"next": None, "previous": None, "results": []}


@BOTH
def test_previous_leads_back_over_the_same_pages(viewer, event, ordering):
    for _ in range(7):
        event()
    there = list(pages(viewer, page_size=3, ordering=ordering))
    page, back = there[-1], [there[-1]]
    while page["previous"]:
        page = viewer.read(page["previous"])
        back.append(page)
    assert list(map(ids, reversed(back))) == list(map(ids, there))
    assert ids(viewer.read(page["next"])) == ids(there[1])


def test_links_keep_what_was_asked_for(viewer, event):
    for number in range(6):
        event("sale.sold" if number % 2 else "ticket.changed", Changes=["amount", "status"])
    query = {"event": "sale.*", "changed": ["amount", "x"], "fields": "id,event", "page_size": 1}
    rows = viewer.rows("events/", **query)
    assert [row["event"] for row in rows] == ["sale.sold"] * 3
    assert {len(row) for row in rows} == {2}


@BOTH
def test_what_comes_in_meanwhile_puts_no_row_on_two_pages_and_leaves_none_out(
    viewer, event, ordering
):
    there = [event().pk for _ in range(9)]
    seen: list[int] = []
    for number, page in enumerate(pages(viewer, page_size=2, ordering=ordering)):
        seen += ids(page)
        if number < 6:
            event(), event()
    assert len(seen) == len(set(seen))
    assert set(there) <= set(seen)
    assert seen == in_order(seen, ordering)
    # Newest first, the list ends where it did when it was begun.
    assert ordering == "received_at" or seen == there[::-1]


@BOTH
def test_events_of_one_moment_are_told_apart(viewer, event, ordering):
    keys = [event().pk for _ in range(7)]
    Event.objects.update(received_at=Event.objects.latest("pk").received_at)
    for size in (1, 2, 3):
        found = [ids(page) for page in pages(viewer, page_size=size, ordering=ordering)]
        assert flat(found) == in_order(keys, ordering)


def test_a_late_event_takes_its_place_and_moves_no_other(viewer, event):
    """What waited in the spool is stored with the moment in which it was received."""
    keys = [event().pk for _ in range(6)]
    page = viewer.read("events/", page_size=3)
    late = event()
    Event.objects.filter(pk=late.pk).update(received_at=Event.objects.get(pk=keys[1]).received_at)
    assert ids(viewer.read(page["next"])) == [keys[2], late.pk, keys[1]]


def test_rows_that_are_pruned_meanwhile_break_no_page(viewer, event):
    keys = [event().pk for _ in range(6)]
    page = viewer.read("events/", page_size=2)
    Event.objects.filter(pk__in=keys[2:5]).delete()
    assert ids(viewer.read(page["next"])) == keys[1::-1]


def test_a_cursor_of_one_list_is_none_of_another(viewer, event):
    for _ in range(3):
        event(PrimaryKey=1)
    link = viewer.read("events/", page_size=1)["next"]
    cursor = link.partition("cursor=")[2].partition("&")[0]
    assert "cursor" in viewer.mistakes("records/Default/ticket/1/", cursor=cursor)


@pytest.fixture
def most(monkeypatch) -> int:
    """So many rows are looked through at a time."""
    monkeypatch.setattr(paging.pages, "MAX_ROWS", 4)
    return 4


@BOTH
def test_a_page_looks_through_so_many_events_and_the_next_goes_on(viewer, event, most, ordering):
    keys = [event("sale.sold" if n in (1, 13) else "ticket.changed").pk for n in range(18)]
    found = [ids(page) for page in pages(viewer, entity="sale", ordering=ordering)]
    assert flat(found) == in_order([keys[1], keys[13]], ordering)
    assert len(found) == 5


@BOTH
def test_previous_leads_back_over_empty_pages_too(viewer, event, most, ordering):
    keys = [event("sale.sold" if n in (1, 13) else "ticket.changed").pk for n in range(18)]
    *_, page = pages(viewer, entity="sale", ordering=ordering)
    back = ids(page)
    while page["previous"]:
        page = viewer.read(page["previous"])
        back = ids(page) + back
    assert back == in_order([keys[1], keys[13]], ordering)


def test_what_an_index_finds_needs_one_page_however_old_it_is(viewer, event, most):
    old = event("sale.sold", PrimaryKey=18, Changes=["amount"])
    for _ in range(9):
        event(Changes=["priority"])
    for query in ({"primary_key": 18}, {"changed": "amount"}, {"search": str(old.event_id)}):
        page = viewer.read("events/", **query)
        assert (ids(page), page["next"]) == ([old.pk], None)


def test_a_list_that_nothing_is_left_out_of_is_paged_as_it_is(viewer, event, most):
    keys = [event().pk for _ in range(9)]
    since = Event.objects.get(pk=keys[1]).received_at.isoformat()
    page = viewer.read("events/", since=since)
    assert (ids(page), page["next"]) == (keys[:0:-1], None)


@BOTH
@override_settings(USE_TZ=False)
def test_pages_follow_each_other_without_time_zones_too(viewer, event, ordering):
    keys = [event(PrimaryKey=7).pk for _ in range(5)]
    found = [ids(page) for page in pages(viewer, page_size=2, ordering=ordering)]
    assert flat(found) == in_order(keys, ordering)
    record = "records/Default/ticket/7/"
    assert flat([ids(page) for page in pages(viewer, record, page_size=2)]) == keys[::-1]


def send_forty() -> None:
    """Deliver forty events, as a thread of a server would."""
    post = Poster()
    try:
        for _ in range(40):
            assert post(body()).status_code == 200
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="needs connections that do not wait")
@BOTH
def test_senders_in_other_threads_put_no_row_on_two_pages_and_leave_none_out(
    viewer, event, ordering
):
    there = {event().pk for _ in range(10)}
    readings = 0
    with ThreadPoolExecutor(2) as threads:
        sent = [threads.submit(send_forty) for _ in range(2)]
        while readings < 2 or not all(one.done() for one in sent):
            read = pages(viewer, page_size=3, fields="id", ordering=ordering)
            seen = [key for page in read for key in ids(page)]
            assert len(seen) == len(set(seen))
            assert there <= set(seen)
            there = set(seen)
            readings += 1
    for one in sent:
        one.result()
    assert len(viewer.rows("events/", page_size=3, fields="id", ordering=ordering)) == 90
