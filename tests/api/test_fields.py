"""Statistics of the changed fields."""

from datetime import timedelta

import pytest
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event

pytestmark = pytest.mark.django_db


def listens(**kwargs):
    """Listens to one field that is there, and to one that is not."""


@pytest.fixture
def counted(event, connect):
    connect(signals.ticket_changed, listens, fields={"priority", "priorty"})
    event(Changes=["priority", "title"])
    event(Changes=["priority", "last_changed"])
    event(Changes=["id", "updated"])
    event("sale.changed", Changes=["amount"])


@pytest.mark.usefixtures("counted")
def test_fields_are_told_with_their_labels_and_how_often_they_changed(viewer):
    told = viewer.read("fields/")
    assert told["fields"][0] == {
        "entity": "sale",
        "name": "amount",
        "label": "Amount",
        "times": 1,
        "events": 1,
    }
    priority = next(field for field in told["fields"] if field["name"] == "priority")
    assert (priority["times"], priority["events"]) == (2, 3)
    assert told["noise"] == [
        {"entity": "sale", "times": 0, "events": 1},
        {"entity": "ticket", "times": 1, "events": 3},
    ]
    assert {"event": "ticket.changed", "name": "title", "times": 1} in told["unheard"]
    assert "priority" not in {field["name"] for field in told["unheard"]}
    assert told["unseen"] == [
        {
            "receiver": "tests.api.test_fields.listens",
            "pattern": "ticket.changed",
            "name": "priorty",
        }
    ]


@pytest.mark.usefixtures("counted")
def test_fields_of_one_entity(viewer):
    for spelling in ("sale", "Sale"):
        told = viewer.read("fields/", entity=spelling)
        assert {field["entity"] for field in told["fields"]} == {"sale"}
        assert told["unseen"] == []


@pytest.mark.usefixtures("counted")
def test_seven_days_are_counted_unless_said_otherwise(viewer):
    now = timezone.now()
    Event.objects.filter(entity="sale").update(received_at=now - timedelta(days=8))
    assert {field["entity"] for field in viewer.read("fields/")["fields"]} == {"ticket"}
    since = (now - timedelta(days=9)).isoformat()
    told = viewer.read("fields/", since=since)
    assert {field["entity"] for field in told["fields"]} == {"sale", "ticket"}
    until = (now - timedelta(days=7)).isoformat()
    told = viewer.read("fields/", until=until)
    assert {field["entity"] for field in told["fields"]} == {"sale"}
    assert told["since"] < until[:10]


def test_nothing_received_is_nothing_counted(viewer):
    told = viewer.read("fields/")
    assert (told["fields"], told["noise"], told["unheard"]) == ([], [], [])


def test_a_window_is_forwards_and_no_longer_than_a_month(viewer):
    told = viewer.mistakes("fields/", since="2026-05-19", until="2026-05-19")
    assert told == {"since": "Expected a time before until."}
    told = viewer.mistakes("fields/", since="2026-05-01", until="2026-06-02")
    assert told == {"since": "Expected a time at most 31 days before until."}
    assert viewer.read("fields/", since="2026-05-01", until="2026-06-01")["fields"] == []
    assert "since" in viewer.mistakes("fields/", since="9998-01-01")


@pytest.mark.parametrize(
    ("name", "value"), [("since", "once"), ("until", "1"), ("entity", "x" * 101), ("entity", "")]
)
def test_a_wrong_value_is_a_mistake_of_that_name(viewer, name, value):
    assert list(viewer.mistakes("fields/", **{name: value})) == [name]
