"""Moments: read as typed, in the project's time zone, within the years databases can store."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.test import override_settings
from django.utils.timezone import override

from superoffice_hooks.models import times


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-19", datetime(2026, 5, 18, 22, tzinfo=UTC)),
        ("2026-05-19T14:30", datetime(2026, 5, 19, 12, 30, tzinfo=UTC)),
        ("2026-05-19T14:30:01.5Z", datetime(2026, 5, 19, 14, 30, 1, 500_000, tzinfo=UTC)),
        ("2026-05-19T14:30-05:00", datetime(2026, 5, 19, 19, 30, tzinfo=UTC)),
    ],
)
def test_without_an_offset_it_is_local_time(text, moment):
    assert times.read(text) == moment


def test_local_is_where_the_reader_is():
    with override("Asia/Kolkata"):
        assert times.read("2026-05-19T05:30") == datetime(2026, 5, 19, tzinfo=UTC)


@override_settings(USE_TZ=False)
def test_without_use_tz_it_is_naive():
    assert times.read("2026-05-19T14:30Z") == datetime(2026, 5, 19, 16, 30)  # noqa: DTZ001
    assert times.read("2026-05-19T14:30") == datetime(2026, 5, 19, 14, 30)  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-02-30",
        "25:00",
        "0001-01-01",
        "0999-12-31",
        "9999-12-31T23:59",
        "\x00",
        "²",
    ],
)
def test_what_is_none_or_cannot_be_stored_is_an_error(text):
    with pytest.raises(ValueError, match="is no time in"):
        times.read(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-19T00:00-18:48", datetime(2026, 5, 19, 18, 48, tzinfo=UTC)),
        ("2026-05-19T00:00+23:59", datetime(2026, 5, 18, 0, 1, tzinfo=UTC)),
        ("2026-05-19T00:00+00:00:30", datetime(2026, 5, 18, 23, 59, 30, tzinfo=UTC)),
    ],
)
def test_an_offset_that_no_place_has_becomes_utc(text, moment):
    read = times.read(text)
    assert read == moment
    assert read.utcoffset() == timedelta()


def test_an_aware_moment_stays_as_it_is():
    moment = datetime(2026, 5, 19, tzinfo=timezone(timedelta(hours=9)))
    assert times.as_project(moment) is moment
