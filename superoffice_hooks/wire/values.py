"""Values as SuperOffice writes them, turned into Python's."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

# PostgreSQL stores neither NUL nor lone surrogates in text or jsonb.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# MariaDB's JSON functions stop at 32 levels; documented bodies have three.
MAX_DEPTH = 30
# Python refuses to convert longer ones (sys.set_int_max_str_digits); databases refuse earlier.
MAX_DIGITS = 1000
_TOO_LONG = re.compile(rb"(?<!\d)\d{%d}" % (MAX_DIGITS + 1))
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
BIGINT = range(-(2**63), 2**63)
"""The whole numbers of 64 bits, as SuperOffice and databases have them."""
_TYPED = re.compile(r"\[([A-Z]{1,2}):(.*)\]", re.DOTALL)
# Month first; a time, if there is one, to the seventh decimal of a second.
_DATE = re.compile(r"(\d\d)/(\d\d)/(\d{4})(?: (\d\d:\d\d:\d\d(?:\.\d{1,9})?))?", re.ASCII)
_TIME = re.compile(r"(\d\d/\d\d/\d{4} )?(\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
# With an exponent no longer than .NET's, or a few bytes would become a number of gigabytes.
_NUMBER = re.compile(r"[+-]?\d{1,400}(?:\.\d{1,400})?(?:E[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_BOOLEANS = {"0": False, "false": False, "1": True, "true": True}


def parse_timestamp(text: str) -> datetime | None:
    """Return the time in an ISO 8601 text, in UTC; naive if the text has no offset.

    SuperOffice sends 5 to 7 fractional digits, and year 1 for "no date" (None here).

    Raises:
        ValueError: not a timestamp, or outside the years every database can store and every
            time zone can show (1000 to 9998).
    """
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        raise ValueError("not an ISO 8601 timestamp")
    seconds, fraction, offset = match.groups()
    if seconds.startswith("0001-"):
        return None
    microseconds = (fraction or "").ljust(6, "0")[:6]
    read = datetime.fromisoformat(f"{seconds}.{microseconds}{offset or ''}")
    if not 1000 <= read.year <= 9998:
        raise ValueError("outside the years 1000 to 9998")
    return read.astimezone(UTC) if offset else read


storable_text = partial(_UNSTORABLE.sub, "\ufffd")
"""Returns a text with what no database takes (NUL, lone surrogates) replaced by U+FFFD."""


def one_line(text: str, limit: int = 200) -> str:
    """Return text from outside as one line that does nothing to a log or a terminal.

    Line breaks, control characters, escape sequences and characters that hide or turn what follows
    are shown by their codes; a longer text is cut.
    """
    if len(text) > limit:
        text = f"{text[: limit - 1]}…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def is_storable(body: bytes) -> bool:
    """Return whether every value in some JSON is storable, by a quick look at its bytes.

    It is if nothing is escaped by its number or beyond ASCII, no number is too long, and there are
    not enough brackets to nest deeply. False means that each value has to be looked at.
    """
    return (
        body.isascii()
        and b"\\u" not in body
        and b"\x00" not in body
        and body.count(b"{") + body.count(b"[") <= MAX_DEPTH
        and not _TOO_LONG.search(body)
    )


def storable(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return a JSON value that every supported database can store.

    Text loses NUL and lone surrogates, and what is nested deeper than ``depth`` becomes None.
    """
    match value:
        case str():
            return storable_text(value)
        case dict():
            if depth == 0:
                return None
            return {storable_text(key): storable(item, depth - 1) for key, item in value.items()}
        case list():
            return [storable(item, depth - 1) for item in value] if depth else None
        case _:
            return value


def decode(value: Any) -> Any:
    """Return a value of a payload as Python's type; what cannot be read stays as it was sent.

    Extra tables send typed texts: a marker, and the value in the invariant culture, so with the
    month first and a point before decimals.

    ======  ====================================  ==========================================
    marker  example                               becomes
    ======  ====================================  ==========================================
    I       ``[I:6]``                             int
    A       ``[A:3,4,5]``                         tuple of ints
    F       ``[F:123.4]``                         float
    M       ``[M:123.45]``                        Decimal
    DT      ``[DT:09/16/2025 14:22:14.0000000]``  naive datetime, SuperOffice's local time
    D       ``[D:09/16/2025 14:22:14.0000000]``   date; a time is sent along, but not meant
    T       ``[T:09/16/2025 14:22:14.0000000]``   time; the same with the date
    TS      ``[TS:500]``                          timedelta, from seconds
    B       ``[B:1]``                             bool, from 0, 1, false or true
    ======  ====================================  ==========================================

    Everything else arrives as JSON, in which only dates are text: an ISO 8601 timestamp becomes a
    datetime, in UTC if it has an offset and naive (local time) otherwise. Year 1 means no date, and
    becomes None in every form. Digits in a text stay text: ``"21"`` may as well be a name.

    Lists and dicts are decoded item by item. Nothing raises an exception: an unknown marker, a
    number of more than 64 bits, a day that does not exist, a year outside 1000 to 9998 stay text.
    So does B otherwise: it marks binary data (Base64), which webhooks are not known to send.

    Sources: SuperOffice's documentation. "Changes in 9.1R3: Date, Time and DateTime in Archive
    Providers" has the markers, the code that D, DT and T share, and TS's unit; "Extra table events"
    has typed texts in webhooks; "CultureDataFormatter" the short times and dates. Its
    ``[D:09.11.2017]`` has the day first, against the culture it names, so that form stays text.
    """
    match value:
        case str():
            return _decode_text(value)
        case list():
            return [decode(item) for item in value]
        case dict():
            return {key: decode(item) for key, item in value.items()}
        case _:
            return value


def _decode_text(text: str) -> Any:
    try:
        if typed := _TYPED.fullmatch(text):
            return _READERS[typed[1]](typed[2])
        return parse_timestamp(text)
    except (KeyError, ValueError, OverflowError):
        return text


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    if match := pattern.fullmatch(text):
        return match
    raise ValueError(text)


def _integer(text: str) -> int:
    number = int(_matched(_INTEGER, text)[0])
    if number not in BIGINT:
        raise ValueError("more than 64 bits")
    return number


def _integers(text: str) -> tuple[int, ...]:
    return tuple(map(_integer, text.split(","))) if text else ()


def _float(text: str) -> float:
    number = float(_matched(_NUMBER, text)[0])
    if math.isinf(number):
        raise ValueError("more than a float holds")
    return number


def _money(text: str) -> Decimal:
    return Decimal(_matched(_NUMBER, text)[0])


def _datetime(text: str) -> datetime | None:
    month, day, year, clock = _matched(_DATE, text).groups()
    return parse_timestamp(f"{year}-{month}-{day}T{clock or '00:00:00'}")


def _date(text: str) -> date | None:
    day = _datetime(text)
    return day.date() if day else None


def _time(text: str) -> time | None:
    day, minutes, seconds = _matched(_TIME, text).groups()
    clock = time.fromisoformat(f"{minutes}{seconds or ':00'}")
    # The day of a time means nothing. Midnight of .NET's first day is no time at all.
    return None if day == "01/01/0001 " and clock == time.min else clock


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=_integer(text))


def _boolean(text: str) -> bool:
    return _BOOLEANS[text.lower()]


_READERS: dict[str, Callable[[str], Any]] = {
    "I": _integer,
    "A": _integers,
    "F": _float,
    "M": _money,
    "D": _date,
    "DT": _datetime,
    "T": _time,
    "TS": _seconds,
    "B": _boolean,
}
