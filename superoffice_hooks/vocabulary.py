"""SuperOffice's event names: which are documented, how one is taken apart, how a pattern matches.

The vocabulary is open: integrators raise events of their own, extra tables and lists bring theirs.
So names are parsed, never checked against a list.
"""

import re
from functools import cache

TEST = "test"
"""The event a registration sends to see whether anybody answers."""

_CREATED_CHANGED_DELETED = (
    "activity",
    "associate",
    "contact",
    "document",
    "person",
    "project",
    "projectmember",
    "relation",
    "sale",
    "salestakeholder",
)

EVENT_NAMES: tuple[str, ...] = (
    *(
        f"{entity}.{action}"
        for entity in _CREATED_CHANGED_DELETED
        for action in ("created", "changed", "deleted")
    ),
    "contact.softdeleted",
    "person.softdeleted",
    "person.consented",
    "person.unconsented",
    "document.edited",
    "sale.sold",
    "sale.lost",
    "sale.completed",
    "quote.approved",
    "quote.rejected",
    "quote.sent",
    "quote.ordered",
    "chatsession.created",
    "chatsession.message",
    "chatsession.changed",
    "ticket.created",
    "ticket.changed",
)
"""The documented event names that are written out; list.*, y_* and webhook.* are patterns."""


def split(name: str) -> tuple[str, str]:
    """Entity and action of an event name: the action is what follows the last dot.

    >>> split("list.category.softdeleted")
    ('list.category', 'softdeleted')
    >>> split("test")
    ('test', '')
    """
    entity, dot, action = name.rpartition(".")
    return (entity, action) if dot else (name, "")


@cache
def pattern(text: str) -> re.Pattern[str]:
    """The regular expression of an event name pattern, in which ``*`` stands for any characters.

    >>> bool(pattern("list.*.softdeleted").fullmatch("list.110.softdeleted"))
    True
    """
    return re.compile(".*".join(map(re.escape, text.strip().lower().split("*"))), re.DOTALL)
