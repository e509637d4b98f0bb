"""Values as SuperOffice writes them, turned into Python's."""

import re
from datetime import UTC, datetime
from typing import Any

# PostgreSQL stores neither NUL nor lone surrogates in text or jsonb.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# MariaDB's JSON functions stop at 32 levels; documented bodies have three.
MAX_DEPTH = 30
# Python refuses to convert longer ones (sys.set_int_max_str_digits); databases refuse earlier.
MAX_DIGITS = 1000
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


def parse_timestamp(text: str) -> datetime | None:
    """The moment an ISO 8601 text names, in UTC; naive if the text has no offset.

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
    moment = datetime.fromisoformat(f"{seconds}.{microseconds}{offset or ''}")
    if not 1000 <= moment.year <= 9998:
        raise ValueError("outside the years 1000 to 9998")
    return moment.astimezone(UTC) if offset else moment


def storable_text(text: str) -> str:
    """The text with what no database takes (NUL, lone surrogates) replaced by U+FFFD."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def storable(value: Any, depth: int = MAX_DEPTH) -> Any:
    """A JSON value that every supported database can store.

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
