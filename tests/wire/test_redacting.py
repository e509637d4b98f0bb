"""Values of some keys are replaced in a body; every other byte stays."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superoffice_hooks.wire.event_names import Names
from superoffice_hooks.wire.redacting import redact

from ..conftest import PAYLOADS

EMAIL = Names(["email"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'{"email": "a@b"}', b'{"email": "(redacted)"}'),
        (b'{ "EMail" :"a\\"b" , "x":1}', b'{ "EMail" :"(redacted)" , "x":1}'),
        (b'{"x": {"email": 5, "y": 1.0}}', b'{"x": {"email": null, "y": 1.0}}'),
        (b'{"email": {"a": ["b", {}]}, "x": 1}', b'{"email": null, "x": 1}'),
        (b'[{"email": true}, {"email": "a"}]', b'[{"email": null}, {"email": "(redacted)"}]'),
        (b'{"email": "a", "email": "b"}', b'{"email": "(redacted)", "email": "(redacted)"}'),
        (rb'{"\u0065mail": "a"}', rb'{"\u0065mail": "(redacted)"}'),
        (b'{"x": "email", "y": ["email", ": a"]}', b'{"x": "email", "y": ["email", ": a"]}'),
        # Cut, damaged, or no JSON.
        (b'{"x": 1, "email": "a@', b'{"x": 1, "email": "(redacted)"'),
        (b'{"email": {"a": "b', b'{"email": null'),
        (b'"email": "a", rest', b'"email": "(redacted)", rest'),
        (b'{"x": 1 "email": "a"}', b'{"x": 1 "email": "(redacted)"}'),
        (b'{"x": "\xff", "email": "a"}', b'{"x": "\xff", "email": "(redacted)"}'),
        (b"}]} \xff nothing", b"}]} \xff nothing"),
        (b"", b""),
    ],
)
def test_the_value_of_a_key_is_replaced(sent, kept):
    assert redact(sent, EMAIL)[0] == kept


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_that_json_may_have(encoding):
    sent = '{"email": "a", "x": "\u00e5"}'.encode(encoding)
    assert json.loads(redact(sent, EMAIL)[0]) == {"email": "(redacted)", "x": "\u00e5"}


def test_a_path_from_the_top():
    sent = b'{"FieldValues": {"name": "Ann", "a.b": 1}, "name": "x", "Values": {"name": "y"}}'
    kept, paths = redact(sent, Names(["FieldValues.*"]))
    assert json.loads(kept) == {
        "FieldValues": {"name": "(redacted)", "a.b": None},
        "name": "x",
        "Values": {"name": "y"},
    }
    assert paths == ("FieldValues.name", "FieldValues.a.b")


def test_what_says_which_event_it_is_stays():
    sent = b'{"EventId": "e", "Event": "x.y", "PrimaryKey": 1, "Values": {"Event": "z"}}'
    kept, paths = redact(sent, Names(["*"]))
    assert json.loads(kept) == {"EventId": "e", "Event": "x.y", "PrimaryKey": 1, "Values": None}
    assert paths == ("Values",)
    assert redact(sent, Names(["event"]))[1] == ("Values.Event",)


def test_twice_is_once():
    once, _ = redact(b'{"email": "a", "b": {"email": 1}}', EMAIL)
    assert redact(once, EMAIL) == (once, ())


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_not_meant_stays_byte_for_byte(path):
    sent = path.read_bytes()
    assert redact(sent, Names(["no such key"])) == (sent, ())
    number = re.compile(rb'("ChangedByAssociateId" *: *)\d+')
    kept, paths = redact(sent, Names(["ChangedByAssociateId"]))
    assert kept == number.sub(rb"\1null", sent)
    assert bool(paths) is (kept != sent)


KEYS = st.sampled_from(["email", "a", "b.c", "Email", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def without_email(value):
    if isinstance(value, list):
        return [without_email(item) for item in value]
    if not isinstance(value, dict):
        return value
    redacted = {
        key: "(redacted)" if isinstance(item, str) else None
        for key, item in value.items()
        if key.lower() == "email"
    }
    return {key: without_email(item) for key, item in value.items()} | redacted


@given(VALUES, st.booleans())
def test_any_json_is_the_same_but_for_the_values(value, escaped):
    sent = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert json.loads(redact(sent, EMAIL)[0]) == without_email(value)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(sent):
    assert redact(sent, Names(["no such key"])) == (sent, ())
    redact(sent, Names(["*"]))
