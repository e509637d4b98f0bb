"""Rows of SuperOffice's tables and archives, page by page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .client import Client
from .errors import NotRead

PAGE = 1000
"""How many rows one call reads."""
MAX_LINKS = 20
"""How many links to a next page one query follows."""

_LONGEST_LINK = 8000


def rows(
    client: Client, provider: str, columns: Sequence[str], *, where: str = "", limit: int = PAGE
) -> list[dict[str, Any]]:
    """Return rows of an archive; SuperOffice may return fewer than there are.

    Args:
        client: the client of the tenant.
        provider: the archive's name; ``dynamic`` reads tables.
        columns: names as the archive has them.
        where: the filter.
        limit: the maximum number of rows.
    """
    params = {"$select": ",".join(columns), "$top": str(limit)}
    if where:
        params["$filter"] = where
    collected: list[dict[str, Any]] = []
    for page in _linked(client, provider, params):
        collected += page
        if len(collected) >= limit:
            break
    return collected[:limit]


def pages(
    client: Client, key: str, columns: Sequence[str], *, after: int = 0, where: str = ""
) -> Iterator[list[dict[str, Any]]]:
    """Yield pages of a table in the order of its key, until one is empty and links to no other.

    A short page is not the end: rows that we may not see are left out. Rows that are added
    meanwhile are read, too. No row is read twice.

    Args:
        client: the client of the tenant.
        key: the primary key's column, with its table: ``ticket_log_change.id``.
        columns: further columns, written the same way.
        after: the key of the last row before the first page.
        where: a further condition.
    """
    while True:
        condition = f"{key} gt {after}"
        params = {
            "$select": ",".join([key, *columns]),
            "$filter": f"{condition} and {where}" if where else condition,
            "$orderby": key,
            "$top": str(PAGE),
        }
        page = next(filter(None, _linked(client, "dynamic", params)), None)
        if not page:
            return
        keys = [_key(row.get(key)) for row in page]
        if max(keys) <= after:
            raise NotRead(f"SuperOffice's API repeats rows of {key}.")
        after = max(keys)
        yield page


def _linked(
    client: Client, provider: str, params: Mapping[str, str]
) -> Iterator[list[dict[str, Any]]]:
    """Yield the page that answers a query, and the pages that the answers link to."""
    links: set[str] = set()
    while True:
        data = client.call("GET", f"Archive/{provider}", params=params)
        yield _read(data)
        link = data.get("odata.nextLink") if isinstance(data, dict) else None
        if not link:
            return
        params = _query(link)
        if link in links or len(links) >= MAX_LINKS:
            raise NotRead("SuperOffice's API links from page to page without an end.")
        links.add(link)


def _query(link: Any) -> dict[str, str]:
    """Return the query of a link.

    The rest of the link is not used: secrets are sent to no address that an answer names.
    """
    try:
        query = urlsplit(link).query if len(link) <= _LONGEST_LINK else ""
        params = dict(parse_qsl(query, keep_blank_values=True))
    except (AttributeError, TypeError, ValueError):
        params = {}
    if not params or not isinstance(link, str):
        raise NotRead("SuperOffice's API names a next page with a link that cannot be read.")
    return params


def _key(value: Any) -> int:
    try:
        return int(value)
    except (OverflowError, TypeError, ValueError):
        pass
    raise NotRead("SuperOffice's API gave a row without its key.")


def _read(data: Any) -> list[dict[str, Any]]:
    """Return the rows of an answer: those in its ``value``, or the answer if that is a list."""
    value = data.get("value") if isinstance(data, dict) else data
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise NotRead("SuperOffice's API gave no rows that can be read.")
    return value
