"""What a log record says in fields of its own, for formatters that write JSON.

A message is for people; its fields are for those who search a million records for one event. What a
block of code is about is noted once, and each record that is logged inside the block has it.
"""

import logging
from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Any

from .values import one_line

FIELDS = {
    "event_id": "the EventId of the event",
    "event_name": "its name, such as `ticket.changed`",
    "event_pk": "its primary key, which stands in the URL of its page",
    "events": "how many events a call is for, if it is for several; the others are of the newest",
    "record": "its record, such as `ticket:527331`",
    "tenant": "its tenant",
    "endpoint": "the endpoint of the event, the delivery or the webhook",
    "webhook": "the name of the webhook that sent the event",
    "attempt": "how many attempts at the event have begun",
    "receiver": "the dotted path of the receiver",
    "replay": "the primary key of the replay",
    "failure_group": "the primary key of the failure group",
    "reason": "why a delivery was refused or kept as a rejection",
    "remote_addr": "the address that a delivery came from",
}
"""The fields, and what each one has. No record has them all, and none has an empty one."""

_LONGEST = 300

_noted: ContextVar[Mapping[str, Any] | None] = ContextVar("superoffice_hooks_log", default=None)


class about(dict[str, Any]):  # noqa: N801  (read as a word: with about(event=event))
    """Let the records that are logged in this block have fields, those of outer blocks included.

    The keys are fields. ``event`` is an Event, and stands for all that is known of it.
    """

    __slots__ = ("_token",)
    _token: Token[Mapping[str, Any] | None]

    def __enter__(self) -> None:
        outer = _noted.get()
        self._token = _noted.set({**outer, **self} if outer else self)

    def __exit__(self, *error: object) -> None:
        _noted.reset(self._token)


def fields(**noted: Any) -> dict[str, Any]:
    """Return the fields of one record, for the ``extra`` of a call that logs; see ``about``."""
    known = dict[str, Any]()
    event = noted.pop("event", None)
    if event is not None:
        known |= _of_event(event)
    if (events := noted.pop("events", None)) is not None:
        known["events"] = len(events)
    known |= noted
    return {
        name: one_line(value, _LONGEST) if isinstance(value, str) else value
        for name, value in known.items()
        if value not in (None, "")
    }


def noted(name: str) -> Any:
    """Return a field of the blocks around; None if they have none."""
    return (_noted.get() or {}).get(name)


def add_to(record: logging.LogRecord) -> None:
    """Add the fields of the blocks around to a record, but for those that it has already."""
    noted = _noted.get()
    if noted is None:
        return
    for name, value in fields(**noted).items():
        if not hasattr(record, name):
            setattr(record, name, value)


def _of_event(event: Any) -> dict[str, Any]:
    """Return the fields of an event, some of whose columns may not be loaded."""
    loaded = vars(event)
    entity, number = loaded.get("entity"), loaded.get("primary_key")
    identity = loaded.get("event_id")
    return {
        "event_id": str(identity) if identity else None,
        "event_name": loaded.get("name"),
        "event_pk": loaded.get("id"),
        "record": f"{entity}:{number}" if entity and number is not None else None,
        "tenant": loaded.get("tenant"),
        "endpoint": loaded.get("endpoint"),
        "webhook": loaded.get("webhook_name"),
        "attempt": loaded.get("attempts"),
    }
