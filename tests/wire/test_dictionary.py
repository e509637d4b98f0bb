"""The dictionary knows SuperOffice's fields, and lets every other name be what it is."""

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superoffice_hooks.wire import dictionary
from superoffice_hooks.wire.dictionary import covers, describe, fields_of, key_of, knows
from superoffice_hooks.wire.event_names import bare, split
from superoffice_hooks.wire.samples import TICKET_FIELDS

from ..conftest import PAYLOADS

FILE = Path(dictionary.__file__).with_suffix(".json")
LICENCE = FILE.parents[2] / "LICENSES" / "superoffice-docs.txt"
DATA = json.loads(FILE.read_text(encoding="utf-8"))
FIELDS = [(entity, name) for entity, fields in DATA["entities"].items() for name in fields]


def documented_changes():
    """Event, entity and names of each documented body that lists changes; three are no JSON."""
    for path in PAYLOADS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        event = re.search(r'"Event": "(.+?)"', text)
        changes = re.search(r'"Changes": \[(.*?)\]', text, re.DOTALL)
        if event and changes and (names := re.findall(r'"(.+?)"', changes[1])):
            yield event[1], split(event[1])[0], names


class TestDescribe:
    def test_a_field_has_a_label_a_description_and_a_type(self):
        field = describe("ticket", "closed_at")
        assert field.name == "closed_at"
        assert field.label == "Closed at"
        assert field.description == "When the ticket was closed."
        assert field.type == "DateTime"
        assert field.values == {}
        assert field.known

    @pytest.mark.parametrize("name", ["TICKET_STATUS", "ticketstatus", "TicketStatus"])
    def test_names_compare_without_case_and_underscores(self, name):
        field = describe("Ticket", name)
        assert field.name == name
        assert field.label == "Ticket status"
        assert field.known

    @pytest.mark.parametrize(
        ("name", "column", "label"),
        [
            ("chatSession.topicId", "topic_id", "Chat session topic id"),
            ("chatMessage.sessionId", "session_id", "Chat message session id"),
            ("chatMessage.id", "id", "Chat message id"),
        ],
    )
    def test_dotted_names_of_chats_find_their_column(self, name, column, label):
        dotted, plain = describe("chatsession", name), describe("chatsession", column)
        assert dotted.known
        assert dotted.label == label
        assert (dotted.type, dotted.description) == (plain.type, plain.description)
        assert dotted.type

    @pytest.mark.parametrize(
        ("entity", "name", "label"),
        [
            ("ticket", "ticket_status", "Ticket status"),
            ("ticket", "cust_id", "Cust id"),
            ("ticket", "extraField", "Extra field"),
            ("sale", "updatedCount", "Updated count"),
            ("quote", "ERPOrderKey", "ERP order key"),
            ("list.110", "UDList_id", "UD list id"),
            ("contact", "userdef2_id", "Userdef2 id"),
            ("person", "post1", "Post1"),
        ],
    )
    def test_labels_are_names_in_sentence_case(self, entity, name, label):
        assert describe(entity, name).label == label

    @pytest.mark.parametrize(
        ("entity", "name"),
        [
            ("ticket", "x_region"),
            ("ticket", "a_new_column"),
            ("y_table", "x_int"),
            ("y_table", "id"),
            ("webhook", "state"),
            ("", ""),
        ],
    )
    def test_unknown_names_fall_back_to_themselves(self, entity, name):
        field = describe(entity, name)
        assert (field.name, field.label, field.known) == (name, name, False)
        assert (field.description, field.type, field.values) == ("", "", {})
        assert field.meaning(5) == "5"

    @pytest.mark.parametrize("entity", ["list", "list.category", "list.110", "List.Category"])
    def test_every_list_has_the_fields_of_lists(self, entity):
        assert describe(entity, "tooltip").type == "String(254)"
        assert covers(entity)

    def test_a_description_is_read_only(self):
        field = describe("ticket", "status")
        with pytest.raises(AttributeError):
            field.label = "Other"  # type: ignore[misc]
        with pytest.raises(TypeError):
            field.values[2] = "Open"  # type: ignore[index]


class TestMeaning:
    @pytest.mark.parametrize(
        ("entity", "name", "value", "meaning"),
        [
            ("ticket", "status", 2, "Closed"),
            ("ticket", "status", "3", "Postponed"),
            ("ticket", "Status", 0, "Unknown"),
            ("ticket", "slevel", 2, "External"),
            ("ticket", "read_status", 3, "Red"),
            ("sale", "status", 3, "Lost"),
            ("person", "gender", 1, "Female"),
        ],
    )
    def test_the_numbers_of_enums_have_names(self, entity, name, value, meaning):
        assert describe(entity, name).meaning(value) == meaning

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (99, "99"),
            ("100", "100"),
            ("-1", "-1"),
            ("1.0", "1.0"),
            ("٢", "٢"),
            ("9" * 5000, "9" * 5000),
            (2.0, "2.0"),
            ("Closed", "Closed"),
            ([2], "[2]"),
            ({}, "{}"),
            (datetime.fromisoformat("2025-09-16T14:22:00"), "2025-09-16 14:22:00"),
            ("", ""),
            (None, ""),
        ],
    )
    def test_every_other_value_is_its_own_text(self, value, text):
        assert describe("ticket", "status").meaning(value) == text

    def test_ids_that_each_tenant_defines_have_no_meaning_here(self):
        assert describe("ticket", "ticket_status").meaning(2) == "2"

    def test_the_numbers_of_flags_are_places_of_bits_and_mean_no_value(self):
        assert describe("chatsession", "flags").meaning(0) == "0"


class TestEntities:
    def test_knows_a_field_of_an_entity(self):
        assert knows("ticket", "priority")
        assert knows("TICKET", "Priority")
        assert knows("chatsession", "chatSession.topicId")
        assert not knows("ticket", "x_region")
        assert not knows("contact", "ticket_status")
        assert not knows("y_table", "id")

    def test_covers_what_has_fields(self):
        assert all(map(covers, DATA["entities"]))
        assert not any(map(covers, ["y_table", "webhook", "test", "", "list_"]))

    def test_fields_are_spelt_as_in_the_database(self):
        assert {"ticket_status", "origHumanCategory_id"} <= set(fields_of("ticket"))
        assert fields_of("list.110") == fields_of("list")
        assert fields_of("y_table") == ()

    @pytest.mark.parametrize(
        ("entity", "key"),
        [
            ("activity", {"appointment_id"}),
            ("ticket", {"id"}),
            ("Sale", {"sale_id"}),
            ("chatsession", {"id"}),
            ("person", {"person_id", "consentperson_id"}),
            ("y_table", {"id"}),
            ("list.category", {"category_id", "udlist_id"}),
            ("list.Category", {"category_id", "udlist_id"}),
            ("list.110", {"110_id", "udlist_id"}),
            ("webhook", set()),
            ("", set()),
        ],
    )
    def test_a_record_has_its_own_key(self, entity, key):
        assert key_of(entity) == key

    def test_each_documented_list_of_changes_that_names_a_key_names_ours(self):
        entities = {entity: names for _, entity, names in documented_changes()}
        for entity in ("activity", "contact", "person", "sale", "y_table", "list.category"):
            assert key_of(entity) & {name.lower() for name in entities[entity]}


class TestTheFile:
    def test_says_where_it_comes_from_as_the_licence_asks(self):
        copyright_notice = "Copyright (c) 2020 SuperOffice Docs"
        assert copyright_notice in DATA["attribution"]
        assert copyright_notice in LICENCE.read_text()
        assert "Permission is hereby granted, free of charge" in LICENCE.read_text()

    def test_is_compact(self):
        assert FILE.stat().st_size < 50_000

    @pytest.mark.parametrize("name", TICKET_FIELDS)
    def test_has_the_documented_fields_of_a_ticket(self, name):
        assert knows("ticket", name)
        assert name in fields_of("ticket")

    def test_has_every_field_a_documented_body_lists(self):
        listed = [
            (event, name)
            for event, entity, names in documented_changes()
            if covers(entity)
            for name in names
            if not knows(entity, name)
        ]
        assert listed == []
        assert len({event for event, _, _ in documented_changes()}) > 30

    def test_describes_nearly_every_field(self):
        untold = [pair for pair in FIELDS if not describe(*pair).type]
        assert sorted(untold) == [
            ("chatsession", "customerEmail"),
            ("chatsession", "customerName"),
            ("chatsession", "customerPhone"),
            ("list", "CategoryFamily_id"),
            ("list", "Category_id"),
            ("list", "category_group"),
            ("list", "enable_lead_status"),
            ("ticket", "agent_id"),
            ("ticket", "extraField"),
        ]

    def test_has_no_name_twice(self):
        def each_once(pairs):
            names = [bare(key) for key, _ in pairs]
            assert len(names) == len(set(names))
            return dict(pairs)

        json.loads(FILE.read_text(encoding="utf-8"), object_pairs_hook=each_once)

    def test_has_the_values_of_each_enum_that_is_documented(self):
        enums = {
            describe(entity, name).type.removeprefix("Enum ")
            for entity, name in FIELDS
            if describe(entity, name).type.startswith("Enum ")
        }
        # Their page lists no values, or places of bits.
        undocumented = {
            "ChatMessageSpecialType",
            "ChatMessageType",
            "ChatSessionFlags",
            "ChatSessionStatus",
            "ModifiedAppointmentFields",
        }
        assert enums - set(DATA["enums"]) == undocumented
        assert set(DATA["enums"]) <= enums
        assert all(DATA["enums"].values())

    def test_finds_every_field_under_its_own_name_and_labels_it(self):
        for entity, name in FIELDS:
            assert name in fields_of(entity)
            assert knows(entity, name.upper())
            assert re.fullmatch(r"[A-Z]\w*( \w+)*", describe(entity, name).label)


COUNT_READS = """
import sys
reads = []
sys.addaudithook(
    lambda event, args: reads.append(args[0])
    if event == "open" and str(args[0]).endswith("dictionary.json") else None
)
from superoffice_hooks.wire import dictionary
imported = len(reads)
for name in ("status", "priority", "x_region"):
    dictionary.describe("ticket", name)
    dictionary.key_of("sale")
print(imported, len(reads))
"""


@pytest.mark.slow
def test_the_file_is_read_once_and_only_when_it_is_needed():
    command = [sys.executable, "-c", COUNT_READS]
    result = subprocess.run(
        command, cwd=FILE.parents[2], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["0", "1"]


@settings(deadline=None)
@given(st.text() | st.sampled_from(sorted(DATA["entities"])), st.text(), st.integers() | st.text())
def test_no_name_and_no_value_is_refused(entity, name, value):
    field = describe(entity, name)
    assert field.name == name
    assert field.known is knows(entity, name)
    assert isinstance(field.meaning(value), str)
    assert key_of(entity) is not None
