"""Receivers whose ``fields`` names what SuperOffice does not have."""

import difflib
from collections.abc import Iterator

from django.core import checks
from django.db import DEFAULT_DB_ALIAS, router

from .. import dictionary, vocabulary
from ..models import ReceiverRun
from ..receivers import Receiver
from ..signals import connected


def names() -> Iterator[checks.CheckMessage]:
    """A name in ``fields`` that the dictionary does not know, often a misspelt one.

    Only for entities whose columns are the same everywhere: lists and extra tables, and the custom
    columns of all others, differ from tenant to tenant.
    """
    for receiver in connected():
        if not _is_fixed(receiver.entity):
            continue
        known = dictionary.fields_of(receiver.entity)
        for name in receiver.options.names or ():
            if not _is_known(name, receiver.entity, known):
                yield _unknown(receiver, name, known)


def database() -> Iterator[checks.CheckMessage]:
    """Atomic receivers, where the app's tables are not in the database of the project's own."""
    ours = router.db_for_write(ReceiverRun)
    atomic = sorted({r.path for r in connected() if r.options.atomic})
    if ours != DEFAULT_DB_ALIAS and atomic:
        yield checks.Error(
            f"The router keeps the tables of superoffice_hooks in the database {ours!r}, and the"
            f" transaction of atomic receivers is there: {', '.join(atomic)}. What they write to"
            f" {DEFAULT_DB_ALIAS!r} is not undone if they fail, and is repeated by each retry.",
            hint="Keep the tables where receivers write, or connect receivers that can be repeated"
            " with atomic=False.",
            id="superoffice_hooks.E020",
        )


def _is_fixed(entity: str) -> bool:
    return dictionary.covers(entity) and entity.partition(".")[0] != "list"


def _is_known(name: str, entity: str, known: tuple[str, ...]) -> bool:
    if "*" in name:
        matching = vocabulary.pattern(name)
        return name.startswith("x_") or any(matching.fullmatch(field.lower()) for field in known)
    return name.startswith("x_") or dictionary.knows(entity, name)


def _unknown(receiver: Receiver, name: str, known: tuple[str, ...]) -> checks.CheckMessage:
    by_lower = {field.lower(): field for field in known}
    similar = difflib.get_close_matches(name, by_lower, n=1)
    advice = f"Did you mean {by_lower[similar[0]]!r}?" if similar else "Look for its right name."
    return checks.Warning(
        f"The receiver {receiver.path} is connected to {receiver.pattern} for the field {name!r},"
        f" which SuperOffice's {receiver.entity} does not have.",
        hint=f"{advice} `manage.py superoffice_fields` prints the names that your events have.",
        id="superoffice_hooks.W005",
    )
