"""Rows of SuperOffice's tables: all pages, deleted rows, and moments in two time zones."""

from datetime import UTC, datetime

import pytest

from superoffice_hooks.superoffice_api import archives
from superoffice_hooks.superoffice_api.errors import NotRead, Refused
from superoffice_hooks.testing.fake import Reply

LOG = "ticket_log_change"


@pytest.fixture
def log(superoffice) -> list[dict[str, int]]:
    """Seventeen rows, of which one page has five."""
    rows = [{f"{LOG}.id": number, f"{LOG}.ticket_id": number % 3} for number in range(1, 18)]
    superoffice.api.tables[LOG] = rows
    return rows


def keys(client, **options) -> list[int]:
    return [
        row[f"{LOG}.id"]
        for page in archives.pages(client, f"{LOG}.id", [f"{LOG}.ticket_id"], **options)
        for row in page
    ]


def test_pages_are_read_by_key_until_one_is_empty(client, log):
    assert keys(client, after=3) == list(range(4, 18))
    assert keys(client, where=f"{LOG}.ticket_id eq 1") == [1, 4, 7, 10, 13, 16]


def test_rows_that_come_in_meanwhile_are_read_and_none_is_read_twice(client, log):
    read = []
    for page in archives.pages(client, f"{LOG}.id", []):
        read += [row[f"{LOG}.id"] for row in page]
        if len(log) < 25:
            # An older one too, whose page has been read.
            log += [{f"{LOG}.id": 100 + len(log)}, {f"{LOG}.id": -len(log)}]
    new = [row[f"{LOG}.id"] for row in log[17:] if row[f"{LOG}.id"] > 0]
    assert read == [*range(1, 18), *new]
    assert len(new) == 4


def test_a_page_of_which_nothing_may_be_seen_is_not_the_end_if_it_names_a_next_one(
    superoffice, client, log
):
    superoffice.api.links_pages = True
    superoffice.api.may_see = lambda row: row[f"{LOG}.id"] not in range(6, 16)
    assert keys(client) == [1, 2, 3, 4, 5, 16, 17]


def test_links_are_followed_as_far_as_rows_are_wanted(superoffice, client, log):
    columns, where = [f"{LOG}.id"], f"{LOG}.id gt 1"
    # Without a link there may be more, and nobody knows.
    assert len(archives.rows(client, "dynamic", columns, where=where)) == 5
    superoffice.api.links_pages = True
    for limit, calls in ((3, 1), (12, 3), (100, 4)):
        superoffice.requests.clear()
        read = archives.rows(client, "dynamic", columns, where=where, limit=limit)
        assert [row[f"{LOG}.id"] for row in read] == list(range(2, 18))[:limit]
        assert len(superoffice.calls("/Archive/")) == calls


def test_a_link_takes_our_sign_in_to_no_other_address(superoffice, client, log):
    superoffice.api.links_pages = True
    superoffice.mangle = lambda request, reply: relinked(reply, "https://elsewhere.example")
    read = archives.rows(client, "dynamic", [f"{LOG}.id"], where=f"{LOG}.id gt 0", limit=100)
    assert len(read) == 17


def relinked(reply: Reply, origin: str) -> Reply:
    """The answer with its link to a next page at another address."""
    if isinstance(reply.body, dict) and (link := reply.body.get("odata.nextLink")):
        query = link.partition("?")[2]
        reply.body["odata.nextLink"] = f"{origin}:443/Cust12345/api/v1/Archive//?{query}"
    return reply


@pytest.mark.parametrize("link", [7, ["?a=b"], {}, "", None, "https://[", "next", "?" + "a" * 9000])
def test_a_link_that_cannot_be_read_is_said_or_is_none(superoffice, client, link):
    superoffice.mangle = lambda request, reply: linking(request, reply, lambda: link)
    if link:
        for read in (lambda: keys(client), lambda: archives.rows(client, "dynamic", ["a.b"])):
            with pytest.raises(NotRead, match="next page"):
                read()
    else:
        assert (keys(client), archives.rows(client, "dynamic", ["a.b"])) == ([], [])


@pytest.mark.parametrize("is_the_same", [True, False])
def test_links_without_an_end_are_given_up(superoffice, client, is_the_same):
    superoffice.mangle = lambda request, reply: linking(
        request, reply, lambda: f"?$skip={0 if is_the_same else len(superoffice.requests)}"
    )
    client.call("GET", "User/currentPrincipal")
    superoffice.requests.clear()
    with pytest.raises(NotRead, match="without an end"):
        keys(client)
    expected = 2 if is_the_same else archives.MAX_LINKS + 1
    assert len(superoffice.calls("/Archive/")) == expected


def linking(request, reply: Reply, link) -> Reply:
    """An answer of no rows, which names a next page."""
    if "/Archive/" not in request.path:
        return reply
    return Reply(body={"odata.nextLink": link(), "value": []})


def test_operators_that_superoffice_fails_for_fail(client):
    with pytest.raises(Refused, match="fails"):
        archives.rows(client, "dynamic", [f"{LOG}.id"], where="x.y ge 3")


def test_deleted_rows_are_given_to_who_names_the_date(superoffice, client):
    deleted = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    superoffice.api.tables["contact"] = [
        {"contact.contact_id": 1, "contact.DeletedDate": None},
        {"contact.contact_id": 2, "contact.DeletedDate": deleted},
    ]

    def read(where: str, *columns: str) -> list[int]:
        rows = archives.rows(client, "dynamic", ["contact.contact_id", *columns], where=where)
        return [row["contact.contact_id"] for row in rows]

    key = "contact.contact_id gt 0"
    assert read(key) == [1]
    assert read(key, "contact.DeletedDate") == [1, 2]
    assert read(f"{key} and contact.DeletedDate afterTime '2026-10-25T01:30:00'") == [2]
    assert read(f"{key} and contact.DeletedDate afterTime '2026-10-25T01:30:01'") == []


def test_moments_of_service_are_in_the_base_time_zone_where_an_hour_comes_twice(
    superoffice, client
):
    # The clocks of Oslo were put back at 01:00 UTC.
    moments = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1, 2)]
    superoffice.api.tables["ticket"] = [
        {"ticket.id": number, "ticket.last_changed": moment, "ticket.registered": moment}
        for number, moment in enumerate(moments)
    ]

    def read(column: str, after: str, before: str) -> list[tuple[int, str]]:
        where = f"{column} afterTime '{after}' and {column} beforeTime '{before}'"
        rows = archives.rows(client, "dynamic", ["ticket.id", column], where=where)
        return [(row["ticket.id"], row[column]) for row in rows]

    hour = ("2026-10-25T02:00:00", "2026-10-25T03:00:00")
    twice = "2026-10-25T02:30:00"
    assert read("ticket.last_changed", *hour) == [(0, twice), (1, twice)]
    assert read("ticket.registered", *hour) == [(2, twice)]
