"""SuperOffice's names: which events are documented, the parts of a name, how patterns match.

The vocabulary is open: integrators raise events of their own, extra tables and lists bring theirs.
So names are parsed, never checked against a list.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

TEST = "test"
"""The event that SuperOffice sends while it saves a webhook, to see whether it is answered."""

PING = "superoffice_hooks.ping"
"""The event that we raise in SuperOffice ourselves, to see whether it arrives."""

PRIVATE = (TEST, PING)
"""Events that nothing has happened for: no pattern matches them, ``*`` neither."""

_ACTIONS = {
    "activity associate contact document person": "created changed deleted",
    "project projectmember relation sale salestakeholder": "created changed deleted",
    "contact person": "softdeleted",
    "person": "consented unconsented",
    "document": "edited",
    "sale": "sold lost completed",
    "quote": "approved rejected sent ordered",
    "chatsession": "created message changed",
    "ticket": "created changed",
}
EVENT_NAMES = tuple(
    f"{entity}.{action}"
    for entities, actions in _ACTIONS.items()
    for entity in entities.split()
    for action in actions.split()
)
"""The documented event names that are written out; list.*, y_* and webhook.* are patterns."""


def split(name: str) -> tuple[str, str]:
    """Return entity and action of an event name: the action is what follows the last dot.

    >>> split("list.category.softdeleted")
    ('list.category', 'softdeleted')
    >>> split("test")
    ('test', '')
    """
    entity, dot, action = name.rpartition(".")
    return (entity, action) if dot else (name, "")


MAX_PATTERN = 300
"""The longest pattern; no name of an event or a field that is stored is half as long."""
MAX_STARS = 5
"""How many stars a pattern may have that is sent to the API, the admin or a command."""

_NOTHING = re.compile(r"(?!)")


def pattern(text: str) -> re.Pattern[str]:
    """Return the regular expression of a name pattern, in which ``*`` stands for any characters.

    A pattern of more than MAX_PATTERN characters matches nothing.

    >>> bool(pattern("list.*.softdeleted").fullmatch("list.110.softdeleted"))
    True
    """
    return _compiled(text) if len(text) <= MAX_PATTERN else _NOTHING


def parts(text: str) -> list[str]:
    """Return what stands between the stars of a pattern, in lower case.

    >>> parts("List.**.Softdeleted")
    ['list.', '.softdeleted']
    """
    first, *rest = text.strip().lower().split("*")
    # Stars side by side are one.
    return [first, *filter(None, rest[:-1]), rest[-1]] if rest else [first]


@lru_cache(maxsize=500)
def _compiled(text: str) -> re.Pattern[str]:
    first, *rest = map(re.escape, parts(text))
    if not rest:
        return re.compile(first)
    # Where a middle part comes first is as good as any later place, so there is nothing to try
    # again (an atomic group), and many stars take no longer than one.
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


def bare(field: str) -> str:
    """Return a field's name without what its spellings differ in, to compare names by.

    One column is ``topic_id`` in the database, ``chatSession.topicId`` among the changed fields and
    ``TopicId`` among the values. The name of a custom column (``x_``) comes from its owner, so
    there the underscores count.

    >>> bare("chatSession.topicId") == bare("TopicId") == bare("topic_id")
    True
    """
    name = field.rpartition(".")[2].lower()
    return name if name.startswith("x_") else name.replace("_", "")


class Names:
    """Names of fields, patterns among them; compares without case.

    >>> Names(["Priority", "x_*"]).among(["title", "priority", "x_Region"])
    ('priority', 'x_Region')
    """

    __slots__ = ("exact", "patterns")

    def __init__(self, names: Iterable[str]) -> None:
        lowered = {name.strip().lower() for name in names} - {""}
        self.exact = frozenset(name for name in lowered if "*" not in name)
        self.patterns = tuple(sorted(lowered - self.exact))

    def __iter__(self) -> Iterator[str]:
        return iter((*sorted(self.exact), *self.patterns))

    def __bool__(self) -> bool:
        return bool(self.exact or self.patterns)

    def __contains__(self, name: str) -> bool:
        name = name.lower()
        return name in self.exact or any(pattern(p).fullmatch(name) for p in self.patterns)

    def __repr__(self) -> str:
        return f"{{{', '.join(self)}}}"

    def among(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of some names that are among these, as they are spelt there."""
        return tuple(name for name in names if name in self)
