"""The options of our commands: how text, numbers, times and periods are read.

An option must have a value: a script's empty variable must not select everything.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management import CommandError
from django.utils import timezone

from ..models import times

_AGO = re.compile(r"(\d{1,4})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SECONDS = re.compile(r"\d{1,5}(\.\d{1,6})?", re.ASCII)
_NUMBER = re.compile(r"0*[1-9]\d{0,8}", re.ASCII)


def texts_of(options: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return all values of an option that may be repeated; one value is a list of one."""
    value = options[key]
    if value is None:
        return ()
    return _checked(key, [value] if isinstance(value, str | UUID) else value)


def text_of(options: Mapping[str, Any], key: str) -> str:
    """Return the value of an option as text; empty without the option."""
    value = options[key]
    return "" if value is None else _checked(key, [value])[0]


def _checked(key: str, values: Iterable[Any]) -> tuple[str, ...]:
    texts = tuple(map(str, values))
    if not texts or not all(text.strip() for text in texts):
        raise wrong(key, "no value", "one, or to be left out")
    return texts


def number_of(options: Mapping[str, Any], key: str) -> int | None:
    """Return a whole number above 0; None without the option."""
    if not (text := text_of(options, key)):
        return None
    if _NUMBER.fullmatch(text):
        return int(text)
    raise wrong(key, repr(text), "a whole number above 0")


def time_of(options: Mapping[str, Any], key: str) -> datetime | None:
    """Return a time, aware or naive as the project's USE_TZ says."""
    if not (text := text_of(options, key)):
        return None
    if ago := _AGO.fullmatch(text):
        return timezone.now() - _period(ago)
    try:
        return times.read(text)
    except ValueError:
        expected = "2026-05-19, 2026-05-19T14:30, or 30m, 2h, 3d or 1w ago"
        raise wrong(key, repr(text), expected) from None


def period_of(options: Mapping[str, Any], key: str) -> timedelta | None:
    """Return a period above 0; None without the option."""
    if not (text := text_of(options, key)):
        return None
    if (match := _AGO.fullmatch(text)) and (period := _period(match)):
        return period
    raise wrong(key, repr(text), "minutes, hours, days or weeks, as 30m, 2h, 90d or 52w")


def seconds_of(options: Mapping[str, Any], key: str) -> float | None:
    """Return seconds, 0 or more, perhaps a fraction; None without the option."""
    if not (text := text_of(options, key)):
        return None
    if _SECONDS.fullmatch(text):
        return float(text)
    raise wrong(key, repr(text), "seconds, as 0, 0.5 or 10")


def _period(match: re.Match[str]) -> timedelta:
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def wrong(key: str, value: str, expected: str) -> CommandError:
    """Return the error for a wrong value of an option."""
    return CommandError(f"--{key.replace('_', '-')} was given {value}; expected {expected}.")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 event``, ``2 events``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
