"""Moments as the project's USE_TZ wants them: aware, or naive in local time."""

from datetime import UTC, datetime, timedelta, tzinfo

from django.conf import settings
from django.utils import timezone

_FARTHEST = timedelta(hours=14)


def as_project(moment: datetime, zone: tzinfo | None = None) -> datetime:
    """The same moment, aware or naive; what has no offset is local time.

    ``zone`` is where local is; None is Django's current time zone.
    """
    if timezone.is_aware(moment) == settings.USE_TZ:
        return moment
    convert = timezone.make_aware if settings.USE_TZ else timezone.make_naive
    return convert(moment, zone)


def read(text: str) -> datetime:
    """The moment that somebody typed: ``2026-05-19``, ``2026-05-19T14:30``, with or without offset.

    Raises:
        ValueError: it is none, or outside the years 1000 to 9998; databases take their own time
            zone's year 0 or 10000 badly.
    """
    try:
        moment = as_project(_of_this_earth(datetime.fromisoformat(text)))
        if 1000 <= moment.year <= 9998:
            return moment
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{text!r} is no moment of the years 1000 to 9998")


def _of_this_earth(moment: datetime) -> datetime:
    """The same moment; in UTC if no place has its offset, as PostgreSQL refuses what is far off."""
    offset = moment.utcoffset() or timedelta()
    if abs(offset) > _FARTHEST or offset % timedelta(minutes=1):
        return moment.astimezone(UTC)
    return moment
