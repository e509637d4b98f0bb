"""Checks of receivers: names of events and fields, and the database of their transaction."""

import difflib
from collections.abc import Iterator

from django.core import checks
from django.db import DEFAULT_DB_ALIAS, router

from .. import conf
from ..models import ReceiverRun
from ..receivers import Receiver, connected
from ..wire import dictionary, event_names

_ALMOST = 0.9
"""How much of a name must be the same, as difflib counts it."""
_CUSTOM = "extrafield"


def names() -> Iterator[checks.CheckMessage]:
    """Report names in ``fields`` that the dictionary does not know; often they are misspelt.

    Only for entities that have the same columns everywhere. Lists, extra tables and custom columns
    differ from tenant to tenant.
    """
    for receiver in connected():
        if not _is_fixed(receiver.entity):
            continue
        known = dictionary.fields_of(receiver.entity)
        for name in receiver.options.names or ():
            if not _is_known(name, receiver.entity, known):
                yield _unknown(receiver, name, known)


def events() -> Iterator[checks.CheckMessage]:
    """Report signals that are almost named as a documented event; often they are misspelt.

    Other names are fine: integrators raise events of their own.
    """
    documented = (*event_names.EVENT_NAMES, event_names.TEST)
    entities = sorted({event_names.split(name)[0] for name in documented})
    for pattern in sorted({receiver.pattern for receiver in connected()}):
        matching = event_names.pattern(pattern)
        if any(matching.fullmatch(name) for name in documented):
            continue
        known = (*documented, *(f"{entity}.*" for entity in entities))
        if similar := difflib.get_close_matches(pattern.lower(), known, n=1, cutoff=_ALMOST):
            yield checks.Warning(
                f"Receivers are connected to {pattern!r}, which is no event of SuperOffice.",
                hint=f"Did you mean {similar[0]!r}?",
                id="superoffice_hooks.W014",
            )


def custom_fields() -> Iterator[checks.CheckMessage]:
    """Report receivers of tickets that wait for custom columns by their own names alone."""
    for receiver in connected():
        names = receiver.options.names or ()
        custom = [name for name in names if name.startswith("x_")]
        if receiver.entity == "ticket" and custom and _CUSTOM not in map(str.lower, names):
            yield checks.Warning(
                f"The receiver {receiver.path} waits for {', '.join(custom)} of tickets."
                " SuperOffice may call a changed custom field of a ticket extraField instead.",
                hint="Add 'extraField' to its fields.",
                id="superoffice_hooks.W015",
            )


def database() -> Iterator[checks.CheckMessage]:
    """Report atomic receivers if our tables are not in the project's default database."""
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


def order() -> Iterator[checks.CheckMessage]:
    """Report receivers of batches where ORDERED promises the order of each record's events."""
    batched = sorted({r.path for r in connected() if r.options.batch})
    if conf.current().ORDERED and batched:
        yield checks.Error(
            f"ORDERED is on, and these receivers are called for batches: {', '.join(batched)}. A"
            " batch has events of many records, and keeps no order between its calls.",
            hint="Connect them with settle=, which calls once per record, or turn ORDERED off.",
            id="superoffice_hooks.E021",
        )


def _is_fixed(entity: str) -> bool:
    return dictionary.covers(entity) and entity.partition(".")[0] != "list"


def _is_known(name: str, entity: str, known: tuple[str, ...]) -> bool:
    if "*" in name:
        matching = event_names.pattern(name)
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
