"""Signals: Django's own in every way, one for each documented event, patterns for the rest."""

import functools

import pytest
from django.dispatch import Signal, receiver

from superoffice_hooks import signals
from superoffice_hooks.models import Event
from superoffice_hooks.receivers import dotted_path
from superoffice_hooks.signals import (
    any_event,
    calls_for,
    connected,
    on,
    receivers_of,
    ticket_changed,
)
from superoffice_hooks.wire import event_names


@pytest.mark.parametrize("name", event_names.EVENT_NAMES)
def test_every_documented_event_has_a_named_signal(name):
    named = getattr(signals, name.replace(".", "_"))
    assert isinstance(named, Signal)
    assert named is on(name)


def test_the_same_pattern_is_the_same_signal_whatever_its_case():
    assert on("Ticket.Changed ") is ticket_changed
    assert on("y_*.changed") is on("Y_*.changed")
    assert on("y_*.changed") is not on("y_*.created")


def test_djangos_receiver_decorator_connects():
    @receiver([ticket_changed, on("list.*.softdeleted")])
    def decorated(**kwargs):
        pass

    assert [r.function for r in receivers_of("ticket.changed")] == [decorated]
    assert [r.function for r in receivers_of("list.110.softdeleted")] == [decorated]
    assert receivers_of("ticket.created") == []
    assert ticket_changed.disconnect(decorated)
    assert on("list.*.softdeleted").disconnect(decorated)
    assert receivers_of("ticket.changed") == []


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*", "anything.at.all"),
        ("*", ""),
        ("ticket.*", "ticket.changed"),
        ("list.*.softdeleted", "list.category.softdeleted"),
        ("y_car.changed", "y_car.changed"),
        ("*.changed", "y_car.changed"),
        ("webhook.*", "webhook.errors"),
    ],
)
def test_a_pattern_reaches_the_names_it_matches(connect, pattern, name):
    function = connect(on(pattern), lambda **kwargs: None)
    assert [r.function for r in receivers_of(name)] == [function]


@pytest.mark.parametrize("pattern", ["*", "superoffice_hooks.*", "superoffice_hooks.pin*"])
def test_the_ping_reaches_those_that_name_it_alone(connect, pattern):
    calls = []

    def of_a_pattern(**kwargs): ...

    def of_the_ping(event, **kwargs):
        calls.append(event)

    connect(on(pattern), of_a_pattern)
    assert receivers_of(event_names.PING) == []
    connect(on(event_names.PING), of_the_ping)
    assert [receiver.function for receiver in receivers_of(event_names.PING)] == [of_the_ping]


def test_a_receiver_of_several_matching_signals_is_called_once(connect):
    function = connect(ticket_changed, lambda **kwargs: None)
    connect(any_event, function)
    connect(on("ticket.*"), function)
    event = Event(name="ticket.changed", payload={})
    assert [r.function for r in calls_for(event)] == [function]
    assert len(list(connected())) == 3


def test_receivers_that_asked_for_another_sender_are_left_out(connect):
    connect(ticket_changed, lambda **kwargs: None, sender=str)
    assert receivers_of("ticket.changed") == []


def test_event_is_the_sender_of_all_events(connect):
    function = connect(ticket_changed, lambda **kwargs: None, sender=Event)
    assert [r.function for r in receivers_of("ticket.changed")] == [function]
    assert ticket_changed.disconnect(function, sender=Event)
    assert receivers_of("ticket.changed") == []


def same_path(number):
    def function(**kwargs):
        return number

    return function


@pytest.mark.parametrize("senders", [(None, None), (Event, None), (None, Event), (Event, Event)])
def test_two_functions_of_one_dotted_path_are_refused_whatever_the_sender(connect, senders):
    first, second = senders
    connect(ticket_changed, same_path(1), sender=first)
    with pytest.raises(ValueError, match="Another receiver is connected"):
        any_event.connect(same_path(2), sender=second)


def test_a_function_under_two_uids_is_connected_until_both_are_gone():
    def function(**kwargs):
        pass

    ticket_changed.connect(function, dispatch_uid="a", fields={"priority"})
    ticket_changed.connect(function, dispatch_uid="b", fields={"category"})
    names = [list(r.options.names or ()) for r in ticket_changed.live_receivers()]
    assert names == [["priority"], ["category"]]
    assert ticket_changed.disconnect(function, dispatch_uid="a")
    assert [list(r.options.names or ()) for r in ticket_changed.live_receivers()] == [["category"]]
    assert ticket_changed.disconnect(dispatch_uid="b")
    assert list(ticket_changed.live_receivers()) == []


def test_a_function_that_takes_the_place_of_one_that_is_gone_has_its_own_filter():
    old = same_path(1)
    ticket_changed.connect(old, fields={"priority"})
    del old
    new = same_path(2)
    ticket_changed.connect(new, fields={"category"})
    (live,) = ticket_changed.live_receivers()
    assert (live.function, list(live.options.names or ())) == (new, ["category"])


def test_receivers_are_held_weakly_like_everywhere():
    def passing(**kwargs):
        pass

    ticket_changed.connect(passing)
    del passing
    assert receivers_of("ticket.changed") == []


class TestDottedPath:
    """The path says in the database who ran, so it must be one receiver's alone."""

    def test_of_functions_methods_and_objects(self):
        assert dotted_path(connected) == "superoffice_hooks.receivers.event_signals.connected"
        assert dotted_path(self.method).endswith("test_signals.TestDottedPath.method")
        assert dotted_path(functools.partial(connected)) == "functools.partial"

    def method(self, **kwargs):
        pass

    def test_two_functions_cannot_share_one(self, connect):
        def make():
            def twin(**kwargs):
                pass

            return twin

        connect(ticket_changed, make())
        with pytest.raises(ValueError, match="give each function a name of its own"):
            any_event.connect(make())
        assert receivers_of("ticket.created") == []

    def test_connecting_the_same_function_again_is_no_conflict(self, connect):
        def once(**kwargs):
            pass

        connect(ticket_changed, once)
        connect(ticket_changed, once)
        assert len(receivers_of("ticket.changed")) == 1

    def test_connecting_the_same_coroutine_function_again_is_no_conflict(self, connect):
        async def once(**kwargs):
            pass

        connect(ticket_changed, once)
        connect(any_event, once)
        assert len(calls_for(Event(name="ticket.changed", payload={}))) == 1


def test_a_signal_says_what_it_is_for():
    assert repr(on("y_car.*")) == "<EventSignal y_car.*>"
