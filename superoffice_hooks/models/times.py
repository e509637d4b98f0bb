"""Times as USE_TZ says: aware, or naive in local time."""

from datetime import UTC, datetime, timedelta, tzinfo

from django.conf import settings
from django.utils import timezone

_FARTHEST = timedelta(hours=14)


def as_project(time: datetime, zone: tzinfo | None = None) -> datetime:
    """Return the same time, aware or naive as USE_TZ says. A naive time is local time.

    ``zone`` is the local time zone; None is Django's current one.
    """
    if timezone.is_aware(time) == settings.USE_TZ:
        return time
    convert = timezone.make_aware if settings.USE_TZ else timezone.make_naive
    return convert(time, zone)


def read(text: str) -> datetime:
    """Return a time as typed: ``2026-05-19``, ``2026-05-19T14:30``, with or without offset.

    Raises:
        ValueError: it is no time, or not in the years 1000 to 9998. In some time zones, databases
            fail with years near 0 and 10000.
    """
    try:
        time = datetime.fromisoformat(text)
        offset = time.utcoffset() or timedelta()
        if abs(offset) > _FARTHEST or offset % timedelta(minutes=1):
            # No place has such an offset, and PostgreSQL refuses some.
            time = time.astimezone(UTC)
        time = as_project(time)
        if 1000 <= time.year <= 9998:
            return time
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{text!r} is no time in the years 1000 to 9998")
