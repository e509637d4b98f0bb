"""``settle=`` and ``batch=``: what can be connected, and what is refused at once."""

import pytest
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.checks import check_receivers

from .conftest import SECRET


def receive(**kwargs):
    """A receiver that does nothing."""


ORDERED = override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "ORDERED": True})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"settle": 30, "batch": 10}, "exclude each other"),
        ({"at_most": 30}, "needs settle"),
        ({"batch": 10, "at_most": 30}, "needs settle"),
        ({"within": 5}, "needs batch"),
        ({"settle": 30, "within": 5}, "needs batch"),
        ({"settle": 30, "at_most": 29}, "less than settle"),
        ({"settle": 0}, "settle is a number of seconds above 0"),
        ({"settle": -1}, "settle is a number of seconds above 0"),
        ({"settle": True}, "settle is a number of seconds above 0"),
        ({"settle": "30"}, "settle is a number of seconds above 0"),
        ({"settle": float("inf")}, "settle is a number of seconds above 0"),
        ({"settle": 1e12}, "settle is a number of seconds above 0"),
        ({"batch": 10, "within": 0}, "within is a number of seconds above 0"),
        ({"batch": 1}, "batch is a whole number from 2"),
        ({"batch": 1001}, "batch is a whole number from 2"),
        ({"batch": 2.5}, "batch is a whole number from 2"),
        ({"batch": True}, "batch is a whole number from 2"),
    ],
)
def test_what_makes_no_sense_is_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        signals.any_event.connect(receive, **options)
    assert signals.receivers_of("ticket.changed") == []


def test_what_is_left_out_has_a_value(connect):
    connect(signals.ticket_changed, receive, settle=30)
    (settling,) = signals.receivers_of("ticket.changed")
    assert (settling.options.settle, settling.options.at_most) == (30, 300)
    assert settling.options.is_gathered
    connect(signals.sale_sold, receive, batch=10)
    (batched,) = signals.receivers_of("sale.sold")
    assert (batched.options.batch, batched.options.within) == (10, 5)


@ORDERED
def test_a_batch_is_refused_where_order_is_promised(connect):
    with pytest.raises(ValueError, match="ORDERED"):
        signals.any_event.connect(receive, batch=10)
    connect(signals.ticket_changed, receive, settle=30)
    assert check_receivers() == []


def test_a_check_reports_a_batch_that_was_connected_before(connect):
    connect(signals.any_event, receive, batch=10)
    assert check_receivers() == []
    with ORDERED:
        (problem,) = check_receivers()
    assert problem.id == "superoffice_hooks.E021"
    assert "tests.test_gathered_receivers.receive" in problem.msg
