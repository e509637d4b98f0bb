"""What the search box of the event list finds."""

import uuid

import pytest

from superoffice_hooks import reaching

from .test_events import found

pytestmark = pytest.mark.django_db


def test_an_event_is_found_by_its_id_with_or_without_dashes(event, viewer):
    wanted, _ = event("sale.sold"), event("sale.changed")
    for query in (wanted.event_id, wanted.event_id.hex, f" {wanted.event_id}".upper()):
        assert found(viewer, f"?q={query}") == ["sale.sold"]
    assert found(viewer, f"?q={uuid.uuid4()}") == []


def test_events_are_found_by_the_number_of_their_record(event, viewer):
    event("ticket.changed", PrimaryKey=76)
    event("sale.changed", PrimaryKey=76)
    event("sale.changed", PrimaryKey=77)
    event("list.110.changed", PrimaryKey=-1)
    assert found(viewer, "?q=76") == ["sale.changed", "ticket.changed"]
    assert found(viewer, "?q=Ticket+76") == ["ticket.changed"]
    assert found(viewer, "?q=-1") == ["list.110.changed"]


def test_a_record_with_many_events_is_found_all_the_same(event, viewer, monkeypatch):
    monkeypatch.setattr(reaching, "FEW", 1)
    event("ticket.changed", PrimaryKey=76)
    event("ticket.changed", PrimaryKey=76)
    assert found(viewer, "?q=ticket+76") == ["ticket.changed"] * 2


def test_events_are_found_by_how_the_name_of_their_webhook_begins(event, viewer):
    event("sale.sold", WebhookName="Invoices 2, to the ledger")
    event("sale.changed", WebhookName="Mail")
    for term in ("Invoices", "invoices 2", "Invoices 2, to the ledger", " mai"):
        expected = "sale.changed" if "mai" in term else "sale.sold"
        assert found(viewer, f"?q={term}") == [expected]
    assert found(viewer, "?q=ledger") == []


def test_the_search_goes_with_the_filters(event, viewer):
    event("ticket.changed", PrimaryKey=76)
    event("sale.changed", PrimaryKey=76)
    assert found(viewer, "?q=76&entity=sale") == ["sale.changed"]


@pytest.mark.parametrize(
    "nonsense",
    ["%00", "a%00b+7", "%F0%9F%90%98", "%ED%A0%80", "9" * 19, "9" * 5000, "²", "'", "%25", "\\",
     "-", "+7", "{}", "ticket+", "a+b+c+1", "1.5", "0x10", "zzz" * 999,
     "eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3"],
)  # fmt: skip
def test_no_search_and_no_filter_breaks_the_list(event, viewer, nonsense):
    event()
    for parameter in (
        "q", "name", "entity", "tenant", "changed", "status__exact", "endpoint", "webhook",
        "receiver", "outcome", "received", "received_at__gte", "received_at__lt", "o", "all",
    ):  # fmt: skip
        assert found(viewer, f"?{parameter}={nonsense}") in ([], ["ticket.changed"])
