"""Values as SuperOffice writes them become Python's, or are refused."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superoffice_hooks.wire.values import (
    MAX_DEPTH,
    decode,
    parse_timestamp,
    storable,
    storable_text,
)


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


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ("[I:6]", 6),
        ("[I:-1]", -1),
        ("[I:9223372036854775807]", 2**63 - 1),
        ("[A:3,4,5]", (3, 4, 5)),
        ("[A:1]", (1,)),
        ("[A:]", ()),
        ("[F:123.4]", 123.4),
        ("[F:-12]", -12.0),
        ("[F:1E+20]", 1e20),
        ("[M:123.45]", Decimal("123.45")),
        ("[M:0.1]", Decimal("0.1")),
        ("[D:09/16/2025 14:22:14.0000000]", date(2025, 9, 16)),
        ("[D:01/02/2011]", date(2011, 1, 2)),
        ("[DT:09/16/2025 14:22:14.0000000]", datetime.fromisoformat("2025-09-16T14:22:14")),
        ("[DT:12/31/2013 23:59:59.1234567]", datetime.fromisoformat("2013-12-31T23:59:59.123456")),
        ("[DT:11/09/2017 14:53:18]", datetime.fromisoformat("2017-11-09T14:53:18")),
        ("[DT:11/09/2017]", datetime.fromisoformat("2017-11-09T00:00:00")),
        ("[T:14:52]", time(14, 52)),
        ("[T:14:52:07.5]", time(14, 52, 7, 500000)),
        ("[T:09/16/2025 14:22:14.0000000]", time(14, 22, 14)),
        ("[T:01/01/0001 14:22:14.1234567]", time(14, 22, 14, 123456)),
        ("[T:00:00]", time(0)),
        ("[TS:500]", timedelta(minutes=8, seconds=20)),
        ("[TS:-1]", timedelta(seconds=-1)),
        ("[B:1]", True),
        ("[B:0]", False),
        ("[B:True]", True),
        ("[B:false]", False),
    ],
)
def test_typed_texts_become_values_of_their_type(sent, value):
    assert decode(sent) == value
    assert type(decode(sent)) is type(value)


@pytest.mark.parametrize(
    "sent",
    [
        "[DT:01/01/0001 00:00:00.0000000]",
        "[D:01/01/0001 00:00:00.0000000]",
        "[D:01/01/0001]",
        "[T:01/01/0001 00:00:00.0000000]",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00Z",
    ],
)
def test_the_year_one_is_none_in_every_form(sent):
    assert decode(sent) is None


@pytest.mark.parametrize(
    "sent",
    [
        "[I:]",
        "[I:six]",
        "[I:1.5]",
        "[I:٦]",
        "[I:9223372036854775808]",
        "[I:" + "9" * 5000 + "]",
        "[A:1,two]",
        "[A:1,,2]",
        "[F:]",
        "[F:1,5]",
        "[F:NaN]",
        "[F:Infinity]",
        "[F:1E+999]",
        "[M:NaN]",
        "[M:1E+999999999]",
        "[M:12 kr]",
        "[D:2025-09-16]",
        "[D:09.11.2017]",
        "[D:16/09/2025]",
        "[D:02/30/2025]",
        "[D:09/16/0999]",
        "[D:09/16/9999]",
        "[DT:09/16/2025 25:00:00]",
        "[DT:09/16/9999 00:00:00.0000000]",
        "[DT:yesterday]",
        "[T:25:00]",
        "[T:noon]",
        "[TS:8:20]",
        "[TS:9223372036854775807]",
        "[B:]",
        "[B:2]",
        "[B:X98=]",
        "[Z:1]",
        "[i:6]",
        "[DTX:1]",
        "[:6]",
        "[I:6",
        "I:6]",
        "[I:6] and more",
        "[I:6]\n",
        "[[I:6]]",
        "9999-12-31T23:59:59",
        "9999-12-31T23:59:59-14:00",
        "2025-13-01T00:00:00",
        "2025-09-16",
        "21",
        "1.5",
        "true",
        "",
        "Ærlig talt",
    ],
)
def test_what_cannot_be_read_stays_as_sent(sent):
    assert decode(sent) == sent
    assert type(decode(sent)) is str


def test_timestamps_become_datetimes_naive_if_they_are_local():
    assert decode("2025-05-14T16:11:02.4593434+02:00") == datetime(
        2025, 5, 14, 14, 11, 2, 459343, tzinfo=UTC
    )
    assert decode("2025-05-19T10:51:32") == datetime.fromisoformat("2025-05-19T10:51:32")


@pytest.mark.parametrize("value", [None, True, False, 0, -1, 1.5, 10**400, (1, 2), b"[I:6]"])
def test_what_is_no_text_is_left_alone(value):
    assert decode(value) is value


def test_lists_and_objects_are_decoded_item_by_item():
    sent = {"[I:1]": ["[I:6]", {"a": "[B:1]", "b": [["0001-01-01T00:00:00"]]}], "c": []}
    assert decode(sent) == {"[I:1]": [6, {"a": True, "b": [[None]]}], "c": []}
    assert sent["[I:1]"][0] == "[I:6]"


typed = st.builds(
    "[{}:{}]".format,
    st.sampled_from(["B", "D", "DT", "F", "I", "A", "M", "T", "TS"]),
    st.text("0123456789/:.,-+ eE", max_size=40) | st.text(max_size=10),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | typed | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None)
@given(json_values)
def test_decoding_never_fails_and_finds_nothing_more_the_second_time(sent):
    assert decode(decode(sent)) == decode(sent)


moments = st.datetimes(
    datetime.fromisoformat("1000-01-01"), datetime.fromisoformat("9998-12-31T23:59:59")
)


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), moments)
def test_what_was_encoded_is_decoded(number, moment):
    assert decode(f"[I:{number}]") == number
    assert decode(f"[A:{number},{number}]") == (number, number)
    day = f"{moment.month:02}/{moment.day:02}/{moment.year:04}"
    shared = f"{day} {moment:%H:%M:%S}.{moment.microsecond:06}0"
    assert decode(f"[DT:{shared}]") == moment
    assert decode(f"[D:{shared}]") == moment.date()
    assert decode(f"[T:{shared}]") == moment.time()
