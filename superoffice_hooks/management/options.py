"""What people give to our commands, read: text, numbers, points and lengths of time.

An option that is given must have a value: a script's empty variable must not select everything.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management import CommandError
from django.utils import timezone

from .. import moments

_AGO = re.compile(r"(\d{1,4})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SECONDS = re.compile(r"\d{1,5}(\.\d{1,6})?", re.ASCII)
_NUMBER = re.compile(r"0*[1-9]\d{0,8}", re.ASCII)


def texts_of(options: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """All values of an option that may be repeated; one alone is as good as a list of one."""
    given = options[key]
    if given is None:
        return ()
    return _checked(key, [given] if isinstance(given, str | UUID) else given)


def text_of(options: Mapping[str, Any], key: str) -> str:
    """The value of an option as text; empty if it was not given."""
    given = options[key]
    return "" if given is None else _checked(key, [given])[0]


def _checked(key: str, given: Iterable[Any]) -> tuple[str, ...]:
    values = tuple(map(str, given))
    if not values or not all(value.strip() for value in values):
        raise wrong(key, "no value", "one, or to be left out")
    return values


def number_of(options: Mapping[str, Any], key: str) -> int | None:
    """A whole number above 0; None if it was not given."""
    if not (text := text_of(options, key)):
        return None
    if _NUMBER.fullmatch(text):
        return int(text)
    raise wrong(key, repr(text), "a whole number above 0")


def moment_of(options: Mapping[str, Any], key: str) -> datetime | None:
    """A point in time, as the project's USE_TZ wants it."""
    if not (text := text_of(options, key)):
        return None
    if ago := _AGO.fullmatch(text):
        return timezone.now() - _period(ago)
    try:
        return moments.read(text)
    except ValueError:
        expected = "2026-05-19, 2026-05-19T14:30, or 30m, 2h, 3d or 1w ago"
        raise wrong(key, repr(text), expected) from None


def period_of(options: Mapping[str, Any], key: str) -> timedelta | None:
    """A length of time above 0; None if it was not given."""
    if not (text := text_of(options, key)):
        return None
    if (found := _AGO.fullmatch(text)) and (period := _period(found)):
        return period
    raise wrong(key, repr(text), "minutes, hours, days or weeks, as 30m, 2h, 90d or 52w")


def seconds_of(options: Mapping[str, Any], key: str) -> float | None:
    """Seconds, 0 or more, perhaps a fraction; None if they were not given."""
    if not (text := text_of(options, key)):
        return None
    if _SECONDS.fullmatch(text):
        return float(text)
    raise wrong(key, repr(text), "seconds, as 0, 0.5 or 10")


def _period(found: re.Match[str]) -> timedelta:
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def wrong(key: str, given: str, expected: str) -> CommandError:
    """The error for whoever typed an option's value."""
    return CommandError(f"--{key.replace('_', '-')} was given {given}; expected {expected}.")


def counted(number: int, noun: str) -> str:
    """``1 event``, ``2 events``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
