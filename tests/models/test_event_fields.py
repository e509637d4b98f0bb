"""What an event says of its fields: which matter, what they are, what was in them before."""

from datetime import datetime

import pytest
from django.test import override_settings

from superoffice_hooks import conf, signals
from superoffice_hooks.models import Event
from superoffice_hooks.wire.field_values import Change

from ..conftest import SECRET, body, documented

pytestmark = pytest.mark.django_db


class TestNoise:
    """What changes whenever anything does is kept apart, never left out."""

    @pytest.mark.parametrize(
        ("name", "sent", "significant"),
        [
            ("ticket.changed", ["id", "read_by_owner"], ("read_by_owner",)),
            ("contact.changed", ["contact_id", "updated", "soundEx", "name"], ("name",)),
            ("activity.changed", ["appointment_id", "UPDATEDCOUNT"], ()),
            ("y_car.changed", ["id", "last_changed", "x_plate"], ("x_plate",)),
            ("list.category.changed", ["Category_id", "updated_associate_id"], ()),
            ("list.110.changed", ["UDList_id", "rank"], ("rank",)),
            ("foo.bar", ["updated", "id"], ("id",)),
            ("ticket.changed", [], ()),
        ],
    )
    def test_the_records_key_and_the_usual_fields_are_noise(self, event, name, sent, significant):
        stored = event(name, Changes=sent)
        assert stored.changes == tuple(sent)
        assert stored.significant_changes == significant

    @pytest.mark.parametrize(
        ("name", "sent", "is_noise"),
        [
            ("ticket.changed", ["id", "last_changed"], True),
            ("ticket.changed", ["id", "title"], False),
            ("ticket.changed", [], False),
            ("contact.softdeleted", ["contact_id", "updated"], False),
            ("sale.sold", ["sale_id", "updated"], False),
        ],
    )
    def test_only_a_change_of_nothing_else_is_noise(self, event, name, sent, is_noise):
        assert event(name, Changes=sent).is_noise is is_noise

    def test_the_setting_adds_names_and_patterns_to_the_default(self, event):
        noise = {"ticket": ["read_by_*"], "TICK*": {"Title"}, "sale": ["priority"]}
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "NOISE_FIELDS": noise}):
            stored = event(Changes=["read_by_owner", "title", "last_changed", "priority"])
            assert stored.significant_changes == ("priority",)

    def test_a_star_replaces_the_default_but_the_key_stays_noise(self, event):
        noise = {"*": ["priority"]}
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "NOISE_FIELDS": noise}):
            stored = event(Changes=["id", "last_changed", "priority"])
            assert stored.significant_changes == ("last_changed",)


class TestOwnAssociates:
    """Who we are is asked once, as the event is stored."""

    @pytest.mark.parametrize(
        "own",
        [
            {"Default": {37201}},
            lambda tenant: [37201] if tenant == "Default" else None,
            f"{__name__}.associates",
        ],
    )
    def test_a_mapping_a_callable_or_its_dotted_path(self, event, own):
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "OWN_ASSOCIATES": own}):
            assert event().is_own
            assert not event(ContextIdentifier="Cust1").is_own
            assert not event(ChangedByAssociateId=7).is_own

    @pytest.mark.parametrize("own", [lambda tenant: 1 / 0, "no.such.module", {"Default": 7}])
    def test_what_cannot_be_asked_costs_no_event(self, event, own, caplog):
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "OWN_ASSOCIATES": own}):
            assert not event().is_own
        assert "raised for tenant" in caplog.text

    def test_nobody_is_not_us(self):
        own = lambda tenant: [None]  # noqa: E731
        with override_settings(SUPEROFFICE_HOOKS={"OWN_ASSOCIATES": own}):
            assert not conf.is_own("Default", None)


def associates(tenant):
    return {"Default": (37201,)}.get(tenant)


class TestValues:
    def test_the_values_of_a_change_are_decoded(self, post):
        post(documented("extratable-events-02-y_table.changed"))
        values = Event.objects.get().field_values
        assert values["X_INT"] == 123
        assert values["last_changed"] == datetime(2025, 9, 16, 14, 27, 20)  # noqa: DTZ001
        assert values["dbi_last_modified"] is None
        assert values.raw["x_int"] == "[I:123]"

    def test_the_values_of_a_delete_come_from_two_places(self, post):
        post(documented("extratable-events-03-y_table.deleted"))
        assert Event.objects.get().field_values["x_int"] == 213

    def test_a_body_without_any_has_none(self, event):
        assert dict(event().field_values) == {}


class TestChangedFields:
    def test_each_has_its_label_description_type_and_meaning(self, event):
        stored = event(Changes=["ticket_status", "Status", "x_region"])
        labels = [(field.label, field.type, field.known) for field in stored.changed_fields]
        assert [field.name for field in stored.changed_fields] == list(stored.changes)
        assert labels == [
            ("Ticket status", "FK ticket_status", True),
            ("Status", "Enum TicketBaseStatus", True),
            ("x_region", "", False),
        ]
        assert stored.changed_fields[1].meaning(2) == "Closed"
        assert stored.changed_fields[0].description

    def test_every_documented_change_is_known(self, post):
        post(documented("seed-ticket.changed"))
        fields = Event.objects.get().changed_fields
        assert len(fields) == 47
        assert all(field.known for field in fields)


class TestDiff:
    """Before and after, from two events, nothing stored for it."""

    def test_what_both_events_tell_is_known(self, event):
        event(FieldValues={"priority": 1, "slevel": 2}, Changes=["priority"])
        second = event(
            FieldValues={"Priority": "[I:3]", "slevel": 2}, Changes=["PRIORITY", "title"]
        )
        assert second.diff() == {
            "PRIORITY": Change(before=1, after=3, known=True),
            "title": Change(before=None, after=None, known=False),
        }

    def test_a_first_event_knows_no_before(self, event):
        stored = event(FieldValues={"priority": 1}, Changes=["priority"])
        assert stored.diff() == {"priority": Change(before=None, after=1, known=False)}

    def test_unknown_changes_are_the_values_that_differ(self, event):
        event(FieldValues={"priority": 1, "slevel": 2, "category": 5})
        stored = event(FieldValues={"priority": 1, "slevel": 1, "status": 2}, Changes=[])
        assert stored.diff() == {"slevel": Change(before=2, after=1, known=True)}

    def test_no_date_is_a_value_too(self, event):
        event("sale.changed", FieldValues={"saledate": "0001-01-01T00:00:00"}, Changes=["saledate"])
        second = event(
            "sale.changed", FieldValues={"saledate": "2020-02-13T00:00:00"}, Changes=["saledate"]
        )
        change = second.diff()["saledate"]
        assert change == Change(None, datetime(2020, 2, 13), known=True)  # noqa: DTZ001

    def test_it_takes_one_query(self, event, django_assert_num_queries):
        event(FieldValues={"priority": 1})
        stored = event(FieldValues={"priority": 2})
        with django_assert_num_queries(1):
            assert stored.diff()["priority"].before == 1

    def test_a_receiver_may_ask_for_it(self, post, connect):
        seen = []
        connect(signals.ticket_changed, lambda event, **kwargs: seen.append(event.diff()))
        post(body(Changes=["priority"], FieldValues={"priority": 1}))
        post(body(Changes=["priority"], FieldValues={"priority": 2}))
        assert seen[1]["priority"] == (1, 2, True)
