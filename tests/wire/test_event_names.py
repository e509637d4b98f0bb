"""Event names are taken apart, not looked up."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superoffice_hooks.wire import event_names


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ticket.changed", ("ticket", "changed")),
        ("list.category.softdeleted", ("list.category", "softdeleted")),
        ("y_table.created", ("y_table", "created")),
        ("test", ("test", "")),
        ("", ("", "")),
        (".", ("", "")),
    ],
)
def test_the_action_is_what_follows_the_last_dot(name, parts):
    assert event_names.split(name) == parts


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("ticket.changed", "ticket.changed", True),
        ("Ticket.Changed", "ticket.changed", True),
        ("ticket.*", "ticket.changed", True),
        ("*", "anything at all\nin two lines", True),
        ("list.*.softdeleted", "list.110.softdeleted", True),
        ("list.*.softdeleted", "list.110.changed", False),
        ("*.changed", "list.110.changed", True),
        ("ticket.change?", "ticket.changed", False),
        ("ticketXchanged", "ticket.changed", False),
        ("[a-z]*", "ticket.changed", False),
    ],
)
def test_only_the_star_is_special_in_a_pattern(pattern, name, matches):
    assert bool(event_names.pattern(pattern).fullmatch(name)) is matches


def test_the_documented_names_are_all_there_once():
    assert len(event_names.EVENT_NAMES) == len(set(event_names.EVENT_NAMES)) == 47


@pytest.mark.parametrize(
    ("field", "bare"),
    [
        ("topic_id", "topicid"),
        ("TopicId", "topicid"),
        ("chatSession.topicId", "topicid"),
        ("updatedCount", "updatedcount"),
        ("x_Main_Region", "x_main_region"),
        ("ticket.x_region", "x_region"),
        ("", ""),
        (".", ""),
        ("_", ""),
    ],
)
def test_a_bare_name_is_what_the_spellings_of_a_field_have_in_common(field, bare):
    assert event_names.bare(field) == bare


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("a**b", "a-b", True),
        ("**", "", True),
        ("*a*", "a", True),
        ("*a*a", "a", False),
        ("*ab*ab*", "abab", True),
        ("*ab*ab*", "aba", False),
        ("a*bc*c", "abcbc", True),
        ("a*bc*c", "abc", False),
        ("*.*.*", "a.b", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_stars_match_as_they_do_anywhere(pattern, name, matches):
    assert bool(event_names.pattern(pattern).fullmatch(name)) is matches


@given(
    st.text(alphabet="ab*", max_size=12),
    st.text(alphabet="ab", max_size=12),
)
def test_a_pattern_matches_what_the_shells_does(pattern, name):
    assert bool(event_names.pattern(pattern).fullmatch(name)) is fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize(
    "pattern", ["a*" * 140 + "c", "*a" * 149, "*" * 300, "a*" * 10 + "b*" * 10]
)
def test_many_stars_take_no_time(pattern):
    name = "a" * 1000
    started = time.process_time()
    for _ in range(10):
        event_names.pattern(pattern).fullmatch(name)
    assert time.process_time() - started < 1


def test_patterns_are_remembered_within_bounds():
    for number in range(3000):
        event_names.pattern(f"ticket.{number}*")
    info = event_names._compiled.cache_info()
    assert info.currsize == info.maxsize == 500


@pytest.mark.parametrize("pattern", ["x" * 1_000_000, "*" * 301])
def test_a_pattern_that_is_too_long_matches_nothing_and_is_not_remembered(pattern):
    before = event_names._compiled.cache_info().currsize
    assert not event_names.pattern(pattern).search(pattern)
    assert event_names._compiled.cache_info().currsize == before
