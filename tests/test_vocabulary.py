"""Event names are taken apart, not looked up."""

import pytest

from superoffice_hooks import vocabulary


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
    assert vocabulary.split(name) == parts


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
    assert bool(vocabulary.pattern(pattern).fullmatch(name)) is matches


def test_the_documented_names_are_all_there_once():
    assert len(vocabulary.EVENT_NAMES) == len(set(vocabulary.EVENT_NAMES)) == 47


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
    assert vocabulary.bare(field) == bare
