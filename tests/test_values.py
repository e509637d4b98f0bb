"""Values as SuperOffice writes them become Python's, or are refused."""

from datetime import UTC, datetime

import pytest

from superoffice_hooks.values import MAX_DEPTH, parse_timestamp, storable, storable_text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-04-24T08:13:02.8352175Z", datetime(2018, 4, 24, 8, 13, 2, 835217, tzinfo=UTC)),
        ("2018-04-24T08:18:42.089895Z", datetime(2018, 4, 24, 8, 18, 42, 89895, tzinfo=UTC)),
        ("2025-09-16T07:24:33.27583Z", datetime(2025, 9, 16, 7, 24, 33, 275830, tzinfo=UTC)),
        ("2025-05-14T16:11:02.4593434+02:00", datetime(2025, 5, 14, 14, 11, 2, 459343, tzinfo=UTC)),
        (" 2025-05-14T16:11:02Z ", datetime(2025, 5, 14, 16, 11, 2, tzinfo=UTC)),
    ],
)
def test_timestamps_come_out_in_utc(text, moment):
    assert parse_timestamp(text) == moment
    assert parse_timestamp(text).tzinfo is UTC


def test_a_timestamp_without_offset_stays_naive():
    assert parse_timestamp("2020-02-16T17:50:17") == datetime(2020, 2, 16, 17, 50, 17)  # noqa: DTZ001


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+02:00"]
)
def test_year_one_means_no_date(text):
    assert parse_timestamp(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2018-04-24",
        "2018-13-24T08:13:02Z",
        "2018-04-24T25:13:02Z",
        "0002-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2018-04-24T08:13:02+99:00",
        "٢٠١٨-٠٤-٢٤T08:13:02Z",
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  (datetime words it differently each time)
        parse_timestamp(text)


def test_storable_text_replaces_what_no_database_takes():
    assert storable_text("a\x00b\ud800c") == "a\ufffdb\ufffdc"
    assert storable_text("blåbær 🫐") == "blåbær 🫐"


def test_storable_reaches_keys_and_values_at_every_level():
    assert storable({"a\x00": [{"b": "\udfff"}, 1, None, True, 1.5]}) == {
        "a\ufffd": [{"b": "\ufffd"}, 1, None, True, 1.5]
    }


@pytest.mark.parametrize(
    "nest", [lambda value: [value], lambda value: {"a": value}], ids=["lists", "objects"]
)
def test_storable_cuts_what_is_nested_too_deeply(nest):
    deep = shallow = "end"
    for _ in range(200):
        deep = nest(deep)
    for _ in range(MAX_DEPTH):
        shallow = nest(shallow)
    assert storable(shallow) == shallow
    assert storable(deep) != deep
    assert "end" not in str(storable(deep))
