"""The values of a payload are found by name, decoded; and as sent, beside that."""

import json
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superoffice_hooks.wire.field_values import FieldValues, RawFieldValues

from ..conftest import documented


def values_of(name):
    return FieldValues.of(json.loads(documented(name)))


def test_the_values_of_an_extra_table_are_decoded():
    values = values_of("extratable-events-02-y_table.changed")
    assert dict(values) == {
        "id": 6,
        "last_changed": datetime.fromisoformat("2025-09-16T14:27:20"),
        "dbi_agent_id": -1,
        "dbi_last_syncronized": None,
        "dbi_last_modified": None,
        "x_int": 123,
    }


def test_created_and_deleted_rows_of_an_extra_table_read_alike():
    created = values_of("extratable-events-01-y_table.created")
    deleted = values_of("extratable-events-03-y_table.deleted")
    assert {name: type(value) for name, value in created.items()} == {
        name: type(value) for name, value in deleted.items()
    }


def test_raw_has_the_values_as_sent():
    values = values_of("extratable-events-02-y_table.changed")
    assert values.raw["x_int"] == values.raw["X_INT"] == "[I:123]"
    payload = json.loads(documented("extratable-events-02-y_table.changed"))
    assert dict(values.raw) == payload["FieldValues"]
    assert list(values) == list(values.raw) == list(payload["FieldValues"])


@pytest.mark.parametrize("name", ["ticket_status", "Ticket_Status", "TICKET_STATUS"])
def test_names_compare_without_case(name):
    values = values_of("ticket-events-02-ticket.changed")
    assert values[name] == 1
    assert name in values


@pytest.mark.parametrize("sent", ["TopicId", "topicId", "topic_id", "chatSession.topicId"])
@pytest.mark.parametrize("asked", ["TopicId", "topicId", "topic_id", "chatSession.topicId"])
def test_a_name_is_found_however_it_is_spelt(sent, asked):
    values = FieldValues({sent: 5})
    assert values[asked] == 5
    assert asked in values
    assert list(values) == [sent]


def test_a_name_that_is_there_is_preferred_to_one_spelt_differently():
    values = FieldValues({"topic_id": 1, "TopicId": 2})
    assert values["Topic_Id"] == 1
    assert values["topicid"] == 2


def test_custom_fields_are_not_mistaken_for_each_other():
    values = FieldValues({"x_ab": 1})
    assert "x_a_b" not in values
    assert values["X_AB"] == 1


@pytest.mark.parametrize("name", ["nonsense", "", "topic", "topicid.", None, 5])
def test_what_is_not_there_is_a_key_error_of_that_name(name):
    values = FieldValues({"topic_id": 5})
    assert name not in values
    assert values.get(name) is None
    with pytest.raises(KeyError) as raised:
        values[name]
    assert raised.value.args == (name,)


def test_values_sent_with_a_delete_are_there_and_field_values_win():
    values = FieldValues.of(
        {"Values": {"a": "[I:1]", "B": "[I:2]"}, "FieldValues": {"b": "[I:3]", "c": "[I:4]"}}
    )
    assert dict(values) == {"a": 1, "b": 3, "c": 4}
    assert len(values) == 3


def test_a_documented_delete_brings_its_values():
    values = values_of("relation-events-03-relation.deleted")
    assert dict(values) == {"associate_id": 40, "relation_id": 178105}


@pytest.mark.parametrize("odd", [None, [], [["a", 1]], "a", 1, True])
def test_what_is_no_object_counts_as_empty(odd):
    assert dict(FieldValues.of({"FieldValues": odd, "Values": odd})) == {}
    assert dict(FieldValues.of({"FieldValues": odd, "Values": {"a": 1}})) == {"a": 1}
    assert dict(FieldValues.of({})) == {}


def test_values_show_what_they_hold():
    values = FieldValues({"x_int": "[I:123]"})
    assert repr(values) == "FieldValues({'x_int': 123})"
    assert repr(values.raw) == "RawFieldValues({'x_int': '[I:123]'})"
    assert values == {"x_int": 123}


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_every_name_is_found_as_it_was_sent_and_in_every_case(sent):
    values = RawFieldValues(sent)
    assert len(values) == len(list(values)) == len({name.lower() for name in sent})
    for name in values:
        assert values[name] == values[name.lower()] == sent[name]
