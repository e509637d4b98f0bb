"""Filters: who is called for an event, told of which changes, and why the others are not."""

import pytest
from django.db import connection
from django.dispatch import receiver
from django.test import override_settings

from superoffice_hooks import signals
from superoffice_hooks.dispatching.in_thread import dispatch
from superoffice_hooks.models import Event, ReceiverRun
from superoffice_hooks.models.claiming import take
from superoffice_hooks.receivers import Reason
from superoffice_hooks.signals import any_event, judged, on, ticket_changed

from .conftest import SECRET, body, documented

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(connect):
    """``told(signal, **options)`` connects a receiver, and is the list of what it is told."""

    lists: list[list[tuple[str, ...]]] = []

    def _told(signal, **options):
        changes: list[tuple[str, ...]] = []

        def listener(**kwargs):
            changes.append(kwargs["changes"])

        # Receivers are known by their paths, and each list wants its own.
        listener.__qualname__ = f"listener_{len(lists)}"
        lists.append(changes)
        connect(signal, listener, **options)
        return changes

    return _told


class TestFields:
    """A receiver with fields= is called if one of them changed, and told of those."""

    def test_it_is_told_of_the_matching_names_in_the_order_and_spelling_sent(self, post, told):
        changes = told(ticket_changed, fields={"ticket_status", "PRIORITY", "nonsense"})
        post(documented("seed-ticket.changed"))
        assert changes == [("priority", "ticket_status")]

    def test_it_is_passed_over_if_none_of_them_changed(self, post, told):
        changes = told(ticket_changed, fields={"nonsense"})
        post(documented("seed-ticket.changed"))
        assert changes == []

    def test_through_djangos_own_decorator(self, post):
        calls = []

        @receiver([ticket_changed, on("sale.sold")], fields={"deadline", "status"})
        def decorated(changes, **kwargs):
            calls.append(changes)

        post(body(Changes=["Deadline"]))
        post(documented("sale-events-04-sale.sold"))
        post(body(Changes=["title"]))
        assert calls == [("Deadline",), ("status",)]
        ticket_changed.disconnect(decorated)
        on("sale.sold").disconnect(decorated)

    @pytest.mark.parametrize(
        ("fields", "changes"),
        [
            ("priority", ("Priority",)),
            ({"x_*"}, ("x_Region", "x_size")),
            (["*_REGION", "title"], ("x_Region",)),
            ({"*"}, ("Priority", "x_Region", "x_size")),
            (("x_siz",), None),
            ("x?region", None),
        ],
    )
    def test_names_compare_without_case_and_stars_stand_for_anything(
        self, post, told, fields, changes
    ):
        calls = told(ticket_changed, fields=fields)
        post(body(Changes=["Priority", "x_Region", "x_size"]))
        assert calls == ([] if changes is None else [changes])

    def test_without_fields_it_is_told_of_all(self, post, told):
        changes = told(ticket_changed)
        post(body(Changes=["Priority", "x_Region"]))
        assert changes == [("Priority", "x_Region")]

    @pytest.mark.parametrize(
        ("returned", "changes"),
        [
            ({"priority"}, [("priority",)]),
            ("significant", [("priority", "title")]),
            (None, [("id", "priority", "title")]),
            (["deadline"], []),
        ],
    )
    def test_a_callable_decides_for_each_event(self, post, told, returned, changes):
        asked = []
        calls = told(ticket_changed, fields=lambda event: asked.append(event.tenant) or returned)
        post(body(Changes=["id", "priority", "title"], ContextIdentifier="Cust7"))
        assert calls == changes
        assert asked == ["Cust7"]

    def test_a_receiver_connected_twice_is_called_if_one_of_its_filters_passes(self, post, connect):
        calls = []

        def receive(changes, **kwargs):
            calls.append(changes)

        connect(ticket_changed, receive, fields={"nonsense"})
        connect(on("ticket.*"), receive, fields={"title"})
        connect(any_event, receive, fields={"oddity"})
        post(documented("seed-ticket.changed"))
        assert calls == [("title",)]

    @pytest.mark.parametrize("uids", [(None, None), ("a", "b")])
    def test_one_that_is_connected_again_is_called_if_any_filter_lets_the_event_pass(
        self, post, connect, uids
    ):
        """Django ignores a second connection without a uid of its own."""
        calls = []

        def receive(changes, **kwargs):
            calls.append(changes)

        first, second = uids
        connect(ticket_changed, receive, fields={"title"}, dispatch_uid=first)
        connect(ticket_changed, receive, fields={"priority"}, dispatch_uid=second)
        for name in ("title", "priority", "category"):
            post(body(Changes=[name]))
        post(body(Changes=["priority", "title"]))
        assert calls == [("title",), ("priority",), ("title",)]

    def test_the_other_options_still_count(self, post, connect):
        connect(ticket_changed, lambda **kwargs: None, fields={"title"}, atomic=False)
        (known,) = signals.receivers_of("ticket.changed")
        assert not known.options.atomic


class TestUnknownChanges:
    """An empty list means unknown, not nothing."""

    def test_by_default_a_filter_lets_them_pass(self, post, told):
        changes = told(any_event, fields={"priority"})
        post(documented("seed-ticket.created"))
        post(body(Changes=None))
        assert changes == [(), ()]

    def test_unless_they_are_to_be_skipped(self, post, told):
        changes = told(any_event, fields={"priority"}, unknown_changes="skip")
        post(documented("seed-ticket.created"))
        assert changes == []

    def test_a_receiver_without_fields_skips_nothing(self, post, told):
        changes = told(any_event, unknown_changes="skip")
        post(documented("seed-ticket.created"))
        assert changes == [()]


class TestSignificant:
    """fields="significant": anything but noise."""

    def test_it_is_told_of_what_is_no_noise(self, post, told):
        changes = told(any_event, fields="significant")
        post(documented("sale-events-02-sale.changed"))
        assert changes == [
            ("earning", "probability", "earning_percent", "amount", "probability_idx")
        ]

    def test_it_is_passed_over_for_noise(self, post, told):
        changes = told(any_event, fields="significant")
        post(body(Changes=["id", "Last_Changed", "updated"]))
        assert changes == []

    def test_what_says_more_than_changed_is_no_noise(self, post, told):
        changes = told(any_event, fields="significant")
        post(body("contact.softdeleted", Changes=["contact_id", "updated"]))
        assert changes == [()]

    def test_a_field_of_that_name_can_be_meant(self, post, told):
        changes = told(any_event, fields={"significant"})
        post(body(Changes=["Significant"]))
        assert changes == [("Significant",)]


class TestEcho:
    """Our own writes come back; who asks for it does not hear of them."""

    @pytest.fixture(autouse=True)
    def own_associates(self):
        own = {"Default": [37201]}
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "OWN_ASSOCIATES": own}):
            yield

    def test_they_are_stored_flagged_and_kept_from_who_ignores_them(self, post, told):
        ignoring, hearing = told(ticket_changed, ignore_own=True), told(ticket_changed)
        post(documented("seed-ticket.changed"))
        event = Event.objects.get()
        assert event.is_own
        assert event.status == "succeeded"
        assert (len(ignoring), len(hearing)) == (0, 1)

    def test_those_of_others_and_of_other_tenants_are_heard(self, post, told):
        calls = told(ticket_changed, ignore_own=True)
        post(body(ChangedByAssociateId=37202))
        post(body(ContextIdentifier="Cust1"))
        post(body(ChangedByAssociateId=None))
        assert len(calls) == 3
        assert not Event.objects.filter(is_own=True).exists()

    def test_an_event_nobody_wants_to_hear_of_is_skipped(self, post, told):
        told(ticket_changed, ignore_own=True)
        post(body())
        assert Event.objects.get().status == "skipped"


@override_settings(SUPEROFFICE_HOOKS={"SECRETS": [SECRET], "DISPATCH": "worker"})
@pytest.mark.django_db(transaction=True)
def test_a_run_that_a_filter_kept_from_happening_costs_no_row_and_no_transaction(post, told):
    told(any_event, fields={"nonsense"})
    post(body())
    (event,) = take(1)
    statements = []

    def note(execute, sql, *arguments):
        statements.append((sql.split()[0], connection.in_atomic_block))
        return execute(sql, *arguments)

    with connection.execute_wrapper(note):
        assert dispatch(event)
    # The event's outcome.
    assert statements == [("UPDATE", False)]
    assert not ReceiverRun.objects.exists()
    assert set(Event.objects.values_list("status", flat=True)) == {"skipped"}


class TestMistakes:
    """Whoever connects a receiver is told at once; what goes wrong later is written down."""

    @pytest.mark.parametrize("fields", [[], {""}, "", "  ", {" ", ""}])
    def test_naming_nothing(self, connect, fields):
        with pytest.raises(ValueError, match="would never be called"):
            connect(ticket_changed, lambda **kwargs: None, fields=fields)

    @pytest.mark.parametrize("fields", [[7], {None}, [b"priority"]])
    def test_names_that_are_no_text(self, connect, fields):
        with pytest.raises(TypeError, match="names of changed fields"):
            connect(ticket_changed, lambda **kwargs: None, fields=fields)

    def test_something_that_has_no_names(self, connect):
        with pytest.raises(TypeError):
            connect(ticket_changed, lambda **kwargs: None, fields=7)

    def test_a_word_that_is_neither_call_nor_skip(self, connect):
        with pytest.raises(ValueError, match="'call' or 'skip', not 'ignore'"):
            connect(ticket_changed, lambda **kwargs: None, unknown_changes="ignore")
        assert signals.receivers_of("ticket.changed") == []

    @pytest.mark.usefixtures("one_attempt")
    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param(lambda event: 1 / 0, id="raises"),
            pytest.param(lambda event: [], id="names nothing"),
            pytest.param(lambda event: [7], id="names no text"),
            pytest.param(lambda: {"priority"}, id="takes no event"),
        ],
    )
    def test_a_callable_that_raises_or_answers_nonsense_is_a_failure_of_the_receiver(
        self, post, told, fields
    ):
        other = told(any_event)
        calls = told(ticket_changed, fields=fields)
        assert post(body()).status_code == 200
        assert (len(calls), len(other)) == (0, 1)
        assert Event.objects.get().status == "failed"
        run = ReceiverRun.objects.get(outcome="failed")
        assert run.error.startswith(("ZeroDivisionError", "ValueError", "TypeError"))


@pytest.mark.parametrize(
    ("options", "sent", "reason", "called"),
    [
        ({}, {}, Reason.EVERY, True),
        ({"fields": "priority"}, {}, Reason.CHANGED, True),
        ({"fields": "nonsense"}, {}, Reason.UNCHANGED, False),
        ({"fields": "significant"}, {}, Reason.SIGNIFICANT, True),
        ({"fields": "significant"}, {"Changes": ["id"]}, Reason.NOISE, False),
        ({"fields": "priority"}, {"Changes": []}, Reason.UNKNOWN, True),
        (
            {"fields": "priority", "unknown_changes": "skip"},
            {"Changes": []},
            Reason.UNKNOWN_SKIPPED,
            False,
        ),
        ({"fields": lambda event: 1 / 0}, {}, Reason.UNDECIDED, True),
    ],
)
def test_every_verdict_has_its_reason(post, connect, options, sent, reason, called):
    post(body(**sent))
    connect(ticket_changed, lambda **kwargs: None, **options)
    (receiver,) = judged(Event.objects.get())
    assert (receiver.reason, receiver.is_called) == (reason, called)


def test_the_test_event_concerns_nobody(post, connect):
    connect(any_event, lambda **kwargs: None)
    post(documented("test-event-01-test"))
    assert judged(Event.objects.get()) == []


def test_a_replay_asks_the_filters_again(post, told, connect):
    from superoffice_hooks.replay.running import Criteria, plan, replay

    post(body(Changes=["priority"]))
    passed, wanted = told(any_event, fields="title"), told(any_event, fields="priority")
    replay(plan(Criteria(), who="anna", reason="why not"))
    assert (passed, wanted) == ([], [("priority",)])
