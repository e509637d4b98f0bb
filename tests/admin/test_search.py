"""What the search box of the event list finds."""

import uuid
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from superoffice_hooks import signals
from superoffice_hooks.models import ReceiverRun
from superoffice_hooks.models.paging import pages

from ..copies import copies
from .conftest import raises
from .test_events import found, listed

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
    assert found(viewer, "?q=%2376") == ["sale.changed", "ticket.changed"]
    assert found(viewer, "?q=ticket+%2376") == ["ticket.changed"]
    assert found(viewer, "?q=-1") == ["list.110.changed"]


def test_a_record_with_many_events_is_found_all_the_same(event, viewer, monkeypatch):
    monkeypatch.setattr(pages, "MAX_KEYS", 1)
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


def test_events_are_found_by_their_tenant(event, viewer):
    event("sale.sold", ContextIdentifier="Cust4711")
    event("sale.changed", ContextIdentifier="Cust47110")
    assert found(viewer, "?q=Cust4711") == ["sale.sold"]


def test_events_are_found_by_a_changed_field(event, viewer):
    event("sale.sold", Changes=["x_Region", "amount"])
    event("sale.changed", Changes=["amount"])
    assert found(viewer, "?q=X_region") == ["sale.sold"]


class TestRuns:
    """Events are found by what their receivers did."""

    @pytest.fixture(autouse=True)
    def _failed(self, event, connect, one_attempt):
        connect(signals.ticket_changed, raises)
        connect(signals.sale_sold, content)
        event("ticket.changed")
        event("sale.sold")
        event("sale.changed")

    @pytest.mark.parametrize(
        ("term", "names"),
        [
            ("tests.admin.conftest.raises", ["ticket.changed"]),
            ("conftest.RAISES", ["ticket.changed"]),
            ("test_search.content", ["sale.sold"]),
            ("tests.admin", ["sale.sold", "ticket.changed"]),
            ("valueerror: no", ["ticket.changed"]),
            ("<b>such</b>", ["ticket.changed"]),
            ("such error", []),
        ],
    )
    def test_by_a_receiver_or_by_words_of_an_error(self, viewer, term, names):
        assert found(viewer, f"?{urlencode({'q': term})}") == names

    def test_a_number_that_is_no_record_is_a_word(self, viewer):
        ReceiverRun.objects.update(error="LookupError: There is no queue for category 7.")
        ReceiverRun.objects.filter(receiver__endswith="raises").update(outcome="gave_up")
        assert found(viewer, "?q=category+7") == ["ticket.changed"]

    def test_a_receiver_that_is_connected_no_more_is_found_by_its_path(self, viewer):
        ReceiverRun.objects.filter(outcome="failed").update(receiver="project.gone")
        assert found(viewer, "?q=project.gone") == ["ticket.changed"]

    def test_errors_are_looked_for_in_recent_runs_alone(self, viewer, event):
        ReceiverRun.objects.update(error="an old one")
        event("ticket.changed")
        copies(ReceiverRun.objects.filter(outcome="failed").latest("pk"), 999)
        assert found(viewer, "?q=old+one") == []
        assert found(viewer, "?q=such") == ["ticket.changed"]

    def test_what_many_events_have_is_found_among_the_newest(self, viewer, monkeypatch):
        monkeypatch.setattr(pages, "MAX_KEYS", 0)
        for term in ("Default", "priority", "tests.admin.conftest.raises"):
            assert "ticket.changed" in found(viewer, f"?q={term}"), term
        assert found(viewer, "?q=tests.admin.conftest.raises") == ["ticket.changed"]

    def test_a_search_takes_no_more_queries_than_a_page_may(self, viewer):
        with CaptureQueriesContext(connection) as captured:
            found(viewer, "?q=ValueError")
        assert len([query for query in captured if "SAVEPOINT" not in query["sql"]]) <= 15


def content(**kwargs):
    """A receiver that is content with everything."""


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
    parameters = (
        "q", "name", "entity", "tenant", "changed", "status__exact", "endpoint", "webhook",
        "receiver", "outcome", "received", "received_at__gte", "received_at__lt", "o", "all",
    )  # fmt: skip
    for parameter in parameters:
        assert listed(viewer, f"?{parameter}={nonsense}") in ([], ["ticket.changed"])
    everywhere = "&".join(f"{parameter}={nonsense}" for parameter in parameters)
    assert found(viewer, f"?{everywhere}") in ([], ["ticket.changed"])
