"""``manage.py superoffice_fields``: tables of what changes, who listens, what was never seen."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from superoffice_hooks import signals
from superoffice_hooks.receivers import dotted_path

from ..conftest import body

pytestmark = pytest.mark.django_db


def printed(**options) -> list[str]:
    stdout = StringIO()
    call_command("superoffice_fields", stdout=stdout, **options)
    return stdout.getvalue().splitlines()


@pytest.fixture
def events(post):
    post(body(Changes=["id", "priority"]))
    post(body(Changes=["id"]))
    post(body("ticket.created", Changes=[]))
    post(body("foo.bar", Changes=[]))


def test_it_prints_a_table_for_each_entity(events, connect):
    receiver = connect(signals.ticket_changed, lambda **kwargs: None, fields={"priority", "titel"})
    path = dotted_path(receiver)
    assert printed() == [
        "foo: 1 event, 0 of them only noise (0.0%).",
        "  No event says which fields changed.",
        "",
        "ticket: 3 events, 1 of them only noise (33.3%).",
        "  field     label     times  share",
        "  id        Id        2      66.7%",
        "  priority  Priority  1      33.3%",
        "",
        "Changes for which no receiver is called:",
        "  event           field  times",
        "  ticket.changed  id     2",
        "",
        "Names in receivers' fields that no event has ever had:",
        f"  {'receiver'.ljust(len(path))}  signal          name",
        f"  {path}  ticket.changed  titel",
        "",
    ]


@pytest.mark.parametrize("together", [{"settle": 30}, {"batch": 100}])
def test_a_receiver_of_several_events_together_hears_as_any_other(events, connect, together):
    connect(signals.ticket_changed, lambda **kwargs: None, fields={"priority", "titel"}, **together)
    told = printed()
    assert "  ticket.changed  id     2" in told
    assert not [line for line in told if line.startswith("  ticket.changed  priority")]
    assert told[-2].endswith("ticket.changed  titel")


def test_without_events_it_says_so():
    assert printed() == [
        "There are no events.",
        "Changes for which no receiver is called:",
        "  None.",
        "",
        "Names in receivers' fields that no event has ever had:",
        "  None.",
        "",
    ]


def test_of_one_entity_and_no_more_than_so_many_fields(events):
    lines = printed(entity="Ticket", limit=1)
    assert not any("foo" in line or "priority" in line for line in lines)
    assert "  id     Id     2      66.7%" in lines


def test_within_a_window(events):
    assert "There are no events." in printed(until="1w")
    assert "ticket: 3 events, 1 of them only noise (33.3%)." in printed(since="1h")


def test_what_a_terminal_would_obey_is_shown_not_sent(post):
    post(body(Changes=["\x1b[2Jgone"]))
    assert any(r"\x1b[2jgone" in line for line in printed())


@pytest.mark.parametrize(
    "options", [{"since": "soon"}, {"limit": "0"}, {"limit": "many"}, {"entity": " "}]
)
def test_a_value_that_makes_no_sense_is_refused(options):
    (key,) = options
    with pytest.raises(CommandError, match=f"--{key} was given"):
        printed(**options)


def test_it_takes_two_queries(events, django_assert_num_queries):
    with django_assert_num_queries(2):
        printed()
