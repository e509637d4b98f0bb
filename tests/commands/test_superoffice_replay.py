"""``superoffice_replay``: every option selects what it says, and nothing is replayed by mistake."""

import getpass
import uuid
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any, ClassVar

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, ReceiverRun, Redelivery, Rejection, Replay

from ..conftest import SECRET, URL, Poster, body, connecting
from ..gathered import gathering
from ..replica import ReplicaThatLags

pytestmark = pytest.mark.django_db

SALES_SECRET = "the secret of another endpoint"
TWO_ENDPOINTS = {
    "SECRETS": {"default": [SECRET], "sales": [SALES_SECRET]},
    "MAX_ATTEMPTS": 1,
}
IDS = {number: str(uuid.UUID(int=number)) for number in (1, 2, 3, 4)}
HERE = "tests.commands.test_superoffice_replay"


class Calls(list[int]):
    """The events a receiver was called for in replays, by their ``ChangedByAssociateId``."""

    def note(self, event: Event, replay: Replay | None) -> None:
        if replay:
            assert event.associate_id is not None
            self.append(event.associate_id)


calls = Calls()


def works(event, replay, **kwargs):
    calls.note(event, replay)


def breaks_for_the_third(event, **kwargs):
    if event.associate_id == 3:
        raise RuntimeError("the third never works")


def listens_to_contacts(**kwargs):
    pass


@pytest.fixture(autouse=True)
def _no_calls_yet():
    calls.clear()


@pytest.fixture
def events(connect):
    """Four events, told apart by their associate; the third failed, each received a day later."""
    store_events()
    connect(signals.any_event, works)


def store_events() -> None:
    post = Poster()
    with override_settings(SUPEROFFICE_HOOKS=TWO_ENDPOINTS), connecting() as connect:
        connect(signals.any_event, works)
        connect(signals.any_event, breaks_for_the_third)
        for number, name, key, tenant, changed in (
            (1, "ticket.changed", 7, "Cust1", ["priority", "title"]),
            (2, "ticket.created", 7, "Cust2", []),
            (3, "contact.changed", 7, "Cust1", ["Name"]),
            (4, "ticket.changed", 8, "Cust1", ["title"]),
        ):
            sent = body(
                name,
                EventId=IDS[number],
                PrimaryKey=key,
                ContextIdentifier=tenant,
                Changes=changed,
                ChangedByAssociateId=number,
            )
            where: dict[str, Any] = (
                {"url": f"{URL}sales/", "secret": SALES_SECRET} if number == 4 else {}
            )
            assert post(sent, **where).status_code == 200
            received_at = datetime(2026, 5, number, 12, tzinfo=UTC)
            Event.objects.filter(event_id=IDS[number]).update(received_at=received_at)


def run(*arguments, **options):
    """What the command says."""
    stdout = StringIO()
    call_command("superoffice_replay", *arguments, stdout=stdout, **options)
    return stdout.getvalue()


def arguments(options):
    """Keyword arguments, as one would type them."""
    typed = []
    for key, value in options.items():
        option = f"--{key.replace('_', '-')}"
        if value is True:
            typed.append(option)
        for one in value if isinstance(value, list) else [value]:
            typed += [] if one is True else [option, str(one)]
    return typed


def everything():
    """All that is stored."""
    models = (Event, ReceiverRun, Redelivery, Rejection, Replay)
    return {model: list(model.objects.order_by("pk").values()) for model in models}


class TestSelecting:
    @pytest.fixture(scope="class")
    @classmethod
    def stored(cls, rows_of_the_class) -> None:
        store_events()

    @pytest.fixture(autouse=True)
    def events(self, stored, connect) -> None:
        connect(signals.any_event, works)

    SELECTIONS: ClassVar[tuple[tuple[dict[str, Any], list[int]], ...]] = (
        ({"event_id": [IDS[1]]}, [1]),
        ({"event_id": [IDS[4], f"{{{IDS[1].upper()}}}"]}, [1, 4]),
        ({"event": "ticket.changed"}, [1, 4]),
        ({"event": "Ticket.*"}, [1, 2, 4]),
        ({"event": "*.changed"}, [1, 3, 4]),
        ({"record": "ticket:7"}, [1, 2]),
        ({"record": "Ticket:7"}, [1, 2]),
        ({"record": "ticket:9223372036854775807"}, []),
        ({"record": "ticket:-1"}, []),
        ({"record": "ticket:9999999999999999999"}, []),
        ({"tenant": "Cust2"}, [2]),
        ({"changed": ["priority"]}, [1]),
        ({"changed": ["PRIORITY", "name"]}, [1, 3]),
        ({"status": "failed"}, [3]),
        ({"status": "succeeded"}, [1, 2, 4]),
        ({"endpoint": "sales"}, [4]),
        ({"since": "2026-05-03"}, [3, 4]),
        ({"since": "2026-05-03T12:00Z"}, [3, 4]),
        ({"since": "2026-05-03T14:00:01"}, [4]),
        ({"until": "2026-05-03T14:00"}, [1, 2]),
        ({"until": "2026-05-03 12:00:01+00:00"}, [1, 2, 3]),
        ({"since": "2026-05-02", "until": "2026-05-03"}, [2]),
        ({"since": "9999w"}, [1, 2, 3, 4]),
        ({"all": True}, [1, 2, 3, 4]),
        ({"all": True, "limit": 2}, [1, 2]),
        ({"all": True, "limit": 999999999}, [1, 2, 3, 4]),
        ({"event": "ticket.*", "tenant": "Cust1"}, [1, 4]),
        ({"event": "ticket.*", "tenant": "Cust1", "limit": 1}, [1]),
        ({"all": True, "tenant": "Cust2"}, [2]),
    )

    @pytest.mark.parametrize(("options", "expected"), SELECTIONS, ids=str)
    def test_an_option_as_keyword_argument_selects(self, options, expected):
        run(**options)
        assert calls == expected

    @pytest.mark.parametrize(("options", "expected"), SELECTIONS, ids=str)
    def test_an_option_on_the_command_line_selects(self, options, expected):
        run(*arguments(options))
        assert calls == expected

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"event_id": IDS[1]}, [1]),
            ({"event_id": uuid.UUID(IDS[1])}, [1]),
            ({"event_id": (uuid.UUID(IDS[1]), IDS[2])}, [1, 2]),
            ({"changed": "priority"}, [1]),
            ({"since": date(2026, 5, 3)}, [3, 4]),
            ({"since": datetime(2026, 5, 3, 12, 0, 1, tzinfo=UTC)}, [4]),
            ({"all": True, "limit": "1"}, [1]),
            ({"status": Event.Status.FAILED}, [3]),
        ],
        ids=str,
    )
    def test_other_pythons_values_will_do_as_well(self, options, expected):
        run(**options)
        assert calls == expected

    def test_a_queryset_of_event_ids_will_do_as_well(self):
        run(event_id=Event.objects.filter(primary_key=8).values_list("event_id", flat=True))
        assert calls == [4]

    @pytest.mark.parametrize(
        ("ago", "expected"), [("70m", [4]), ("2h", [3, 4]), ("2d", [2, 3, 4]), ("2w", [1, 2, 3, 4])]
    )
    def test_since_tells_how_long_ago(self, ago, expected):
        ages = {1: {"days": 13}, 2: {"hours": 47}, 3: {"minutes": 119}, 4: {"minutes": 69}}
        for number, age in ages.items():
            received_at = timezone.now() - timedelta(**age)
            Event.objects.filter(associate_id=number).update(received_at=received_at)
        run(since=ago)
        assert calls == expected

    def test_a_date_is_midnight_in_the_projects_time_zone(self):
        before_midnight_in_oslo = datetime(2026, 5, 1, 21, 59, 59, tzinfo=UTC)
        Event.objects.filter(associate_id=1).update(received_at=before_midnight_in_oslo)
        midnight_in_oslo = datetime(2026, 5, 1, 22, tzinfo=UTC)
        Event.objects.filter(associate_id=2).update(received_at=midnight_in_oslo)
        run(since="2026-05-02", until="2026-05-03")
        assert calls == [2]

    @override_settings(USE_TZ=False)
    @pytest.mark.parametrize("since", ["2026-05-03", "2026-05-03T00:00+02:00", "9999w"])
    def test_projects_without_time_zones_are_served(self, since):
        assert " would be replayed." in run(since=since, dry_run=True)


class TestRefusing:
    """A mistake at the keyboard replays nothing, and the message says what was expected."""

    @pytest.mark.parametrize(
        "options", [{}, {"limit": 3}, {"receiver": f"{HERE}.works"}, {"reason": "why not"}]
    )
    @pytest.mark.parametrize("dry_run", [True, False])
    def test_nothing_selects_events(self, events, options, dry_run):
        before = everything()
        with pytest.raises(CommandError, match=r"Nothing selects .* --all"):
            run(**options, dry_run=dry_run)
        assert calls == []
        assert everything() == before

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"event_id": ["1234"]}, "--event-id was given '1234'; expected a GUID like "),
            ({"record": "ticket"}, "--record was given 'ticket'; expected ENTITY:NUMBER, "),
            ({"record": "ticket:x"}, "--record was given 'ticket:x'; expected ENTITY:NUMBER, "),
            ({"record": ":7"}, "--record was given ':7'; expected ENTITY:NUMBER, "),
            ({"record": "ticket:" + "7" * 5000}, "; expected ENTITY:NUMBER, as ticket:527331."),
            ({"status": "broken"}, "--status was given 'broken'; expected one of pending, "),
            ({"limit": "x", "all": True}, "--limit was given 'x'; expected a whole number above 0"),
            ({"limit": "0", "all": True}, "--limit was given '0'; expected a whole number above 0"),
            ({"limit": -5, "all": True}, "--limit was given '-5'; expected "),
            ({"limit": 10**20, "all": True}, "--limit was given '1000"),
            ({"since": "yesterday"}, "--since was given 'yesterday'; expected 2026-05-19, "),
            ({"since": "2026-02-30"}, "--since was given '2026-02-30'; expected "),
            ({"since": "0001-01-01"}, "--since was given '0001-01-01'; expected "),
            ({"since": "9999-12-31T23:59-12:00"}, "--since was given '9999-12-31T23:59-12:00'; "),
            ({"since": "2 h"}, "--since was given '2 h'; expected 2026-05-19, 2026-05-19T14:30, "),
            ({"since": "99999d"}, "--since was given '99999d'; expected "),
            ({"until": "3y"}, "--until was given '3y'; expected "),
        ],
        ids=lambda value: str(value)[:60],
    )
    def test_a_value_that_makes_no_sense(self, options, message):
        with pytest.raises(CommandError) as by_keyword:
            run(**options)
        with pytest.raises(CommandError) as as_typed:
            run(*arguments(options))
        assert message in str(by_keyword.value)
        assert str(as_typed.value) == str(by_keyword.value)
        assert not Replay.objects.exists()

    @pytest.mark.parametrize("option", ["event_id", "changed", "receiver"])
    @pytest.mark.parametrize("value", ["", [], [""], ["priority", " "]])
    def test_a_repeatable_option_without_a_value_is_not_as_good_as_left_out(self, option, value):
        option_as_typed = option.replace("_", "-")
        with pytest.raises(CommandError, match=f"--{option_as_typed} was given no value"):
            run(**{"all": True, option: value})

    @pytest.mark.parametrize(
        "option",
        ["event", "record", "tenant", "status", "endpoint", "since", "until", "limit", "reason"],
    )
    @pytest.mark.parametrize("value", ["", "  "])
    def test_an_option_without_a_value_is_not_as_good_as_left_out(self, option, value):
        with pytest.raises(CommandError, match=f"--{option} was given no value"):
            run(**{"all": True, option: value})

    def test_an_unknown_receiver(self, events, connect):
        connect(signals.contact_changed, listens_to_contacts)
        with pytest.raises(CommandError) as caught:
            run(all=True, receiver=[f"{HERE}.works", f"{HERE}.workz"])
        assert f"'{HERE}.workz'" in str(caught.value)
        assert f"\n  {HERE}.listens_to_contacts\n  {HERE}.works" in str(caught.value)
        assert calls == []

    def test_any_receiver_where_none_is_connected(self, monkeypatch):
        monkeypatch.setattr(
            "superoffice_hooks.management.commands.superoffice_replay.connected",
            lambda: iter(()),
        )
        with pytest.raises(CommandError, match="Connected are: none"):
            run(all=True, receiver=f"{HERE}.works")


@pytest.mark.usefixtures("events")
class TestDryRun:
    def test_it_says_how_many_events_and_which_receivers(self, connect):
        connect(signals.contact_changed, listens_to_contacts)
        assert run(all=True, dry_run=True) == (
            "Dry run: 4 events would be replayed.\n"
            f"{HERE}.listens_to_contacts would be called for 1 event.\n"
            f"{HERE}.works would be called for 4 events.\n"
            "Nothing was changed.\n"
        )

    def test_it_says_which_receiver_is_called_otherwise_in_a_dispatch(self, connect):
        connect(signals.contact_changed, listens_to_contacts, settle=30)
        assert (
            f"{HERE}.listens_to_contacts would be called for 1 event.\n"
            f"{HERE}.works would be called for 4 events.\n"
            f"In its dispatch, an event joins others for {HERE}.listens_to_contacts. The replay"
            " calls it for each event by itself.\n"
        ) in run(all=True, dry_run=True)
        assert "joins" not in run(all=True, dry_run=True, receiver=f"{HERE}.works")

    def test_what_waits_is_left_to_its_dispatch(self, connect):
        waiting = Event.objects.filter(associate_id__in=[1, 2])
        gathering("desk.sync", *waiting)
        with pytest.raises(CommandError, match="2 events were unfinished and are left"):
            run(status="waiting")
        assert calls == []

    def test_it_says_so_of_one_receiver_and_a_limit(self, connect):
        connect(signals.contact_changed, listens_to_contacts)
        said = run(all=True, dry_run=True, receiver=f"{HERE}.works", limit=1)
        assert f"{HERE}.works would be called for 1 event." in said
        assert "listens_to_contacts" not in said

    def test_it_says_so_of_no_receiver(self, post):
        signals.any_event.disconnect(works)
        assert "No receiver would be called." in run(all=True, dry_run=True)

    def test_it_says_so_of_no_events(self):
        said = run(tenant="nobody", dry_run=True)
        assert said.startswith("Dry run: 0 events would be replayed.\nNo receiver ")

    def test_a_test_event_reaches_no_receiver(self, post):
        post(body("test"))
        said = run(event="test", dry_run=True)
        assert said.startswith("Dry run: 1 event would be replayed.\nNo receiver ")

    def test_it_changes_nothing(self):
        before = everything()
        run(all=True, dry_run=True)
        assert calls == []
        assert everything() == before

    def test_it_announces_the_calls_that_are_made(self, connect):
        connect(signals.contact_changed, listens_to_contacts)
        said = run(all=True, dry_run=True)
        run(all=True)
        for path in (f"{HERE}.listens_to_contacts", f"{HERE}.works"):
            number = ReceiverRun.objects.filter(receiver=path, replay__isnull=False).count()
            assert f"{path} would be called for {number} event" in said


@pytest.mark.usefixtures("events")
class TestReplaying:
    def test_it_says_what_came_of_it(self):
        said = run(all=True)
        replay = Replay.objects.get()
        assert said == (
            f"Replay {replay.pk} is finished: of 4 events, 4 succeeded, 0 had no receiver, 0"
            " failed and 0 were unfinished. Receivers were called 4 times.\n"
        )
        assert (replay.planned, replay.done, replay.failed) == (4, 4, 0)
        assert replay.finished_at is not None

    def test_no_event_is_no_failure(self):
        said = run(tenant="nobody")
        assert "of 0 events, 0 succeeded, 0 had no receiver, 0 failed and" in said
        assert "Receivers were called 0 times." in said

    def test_an_event_without_a_receiver_is_neither_success_nor_failure(self):
        signals.any_event.disconnect(works)
        said = run(event="ticket.*")
        assert "of 3 events, 0 succeeded, 3 had no receiver, 0 failed and" in said

    def test_who_why_and_what_are_kept(self, monkeypatch):
        monkeypatch.setattr(getpass, "getuser", lambda: "kari")
        run(tenant="Cust1", since="2026-05-03", reason="The mail server is back")
        replay = Replay.objects.get()
        assert replay.who == "superoffice_replay (kari)"
        assert replay.reason == "The mail server is back"
        assert replay.criteria == {"tenant": "Cust1", "since": "2026-05-03 00:00:00+02:00"}
        assert replay.receivers is None

    def test_the_reason_may_be_left_out(self):
        run(status="failed")
        assert Replay.objects.get().reason == "superoffice_replay"

    @pytest.mark.parametrize("error", [OSError, KeyError, ImportError])
    def test_a_user_without_a_name_may_replay(self, error, monkeypatch):
        def unnamed():
            raise error("no such user")

        monkeypatch.setattr(getpass, "getuser", unnamed)
        run(status="failed")
        assert Replay.objects.get().who == "superoffice_replay (unknown user)"

    def test_one_receiver_is_called_and_the_others_are_not(self, connect):
        connect(signals.contact_changed, listens_to_contacts)
        run(event="contact.*", receiver=[f"{HERE}.listens_to_contacts"])
        replay = Replay.objects.get()
        assert [run.receiver for run in replay.runs.all()] == [f"{HERE}.listens_to_contacts"]
        assert replay.receivers == [f"{HERE}.listens_to_contacts"]

    def test_a_receiver_that_is_connected_for_the_sender_event_can_be_named(self, connect):
        signals.contact_changed.connect(listens_to_contacts, sender=Event)
        run(event="contact.*", receiver=[f"{HERE}.listens_to_contacts"])
        signals.contact_changed.disconnect(listens_to_contacts, sender=Event)
        assert Replay.objects.get().runs.count() == 1

    def test_several_receivers_are_called(self, connect):
        connect(signals.contact_changed, listens_to_contacts)
        run(event="contact.*", receiver=[f"{HERE}.listens_to_contacts", f"{HERE}.works"])
        assert Replay.objects.get().runs.count() == 2

    def test_a_receiver_that_raises_is_counted_and_stops_nothing(self, connect):
        connect(signals.any_event, breaks_for_the_third)
        stdout = StringIO()
        with pytest.raises(CommandError) as caught:
            call_command("superoffice_replay", all=True, stdout=stdout)
        replay = Replay.objects.get()
        assert calls == [1, 2, 3, 4]
        assert (replay.planned, replay.done, replay.failed) == (4, 3, 1)
        assert (
            "of 4 events, 3 succeeded, 0 had no receiver, 1 failed and 0 were unfinished."
            in stdout.getvalue()
        )
        assert "Receivers were called 8 times." in stdout.getvalue()
        assert str(caught.value).startswith("1 event failed: a receiver raised. ")
        assert f"replay {replay.pk} " in str(caught.value)
        assert caught.value.returncode == 1

    @pytest.mark.parametrize("minutes", [-1, 1])
    def test_an_unfinished_event_is_left_to_its_ordinary_dispatch(self, minutes):
        due_at = timezone.now() + timedelta(minutes=minutes)
        unfinished = Event.objects.filter(associate_id__in=[1, 2])
        unfinished.update(status="pending", next_attempt_at=due_at, claim=7)
        with pytest.raises(CommandError) as caught:
            run(all=True)
        assert str(caught.value) == (
            "2 events were unfinished and are left to the ordinary dispatch: no receiver was called"
            " by this replay."
        )
        assert calls == [3, 4]
        assert set(unfinished.values_list("next_attempt_at", "claim")) == {(due_at, 7)}

    def test_it_reads_where_it_writes(self):
        with override_settings(DATABASE_ROUTERS=[ReplicaThatLags()]):
            said = run(changed=["priority", "title"], dry_run=True)
            assert said.startswith("Dry run: 2 events would be replayed.")
            assert "of 4 events, 4 succeeded" in (said := run(all=True))
            assert "Receivers were called 4 times." in said

    @pytest.mark.django_db(transaction=True)
    def test_a_database_that_goes_away_is_told_without_a_traceback(self, away_in_replay):
        lost = r"was broken off, and dispatchers carry"
        with away_in_replay(8), pytest.raises(CommandError, match=lost):
            run(all=True)
        replay = Replay.objects.get()
        assert (replay.finished_at, replay.failed) == (None, 0)

    def test_what_failed_succeeds_once_the_cause_is_gone(self, connect):
        def works(**kwargs):
            pass

        works.__qualname__ = breaks_for_the_third.__qualname__
        connect(signals.any_event, works)
        run(status="failed")
        assert calls == [3]
        assert not Event.objects.exclude(status=Event.Status.SUCCEEDED).exists()

    def test_what_failed_stays_failed_if_its_receiver_is_not_connected_any_more(self):
        assert "1 succeeded" in run(status="failed")
        assert calls == [3]
        assert Event.objects.get(associate_id=3).status == Event.Status.FAILED


@pytest.mark.usefixtures("events")
class TestStopping:
    def test_ctrl_c_cancels_it(self, connect):
        """Whoever stops it means to: superoffice_dispatch is not to go on behind their back."""

        def interrupts(event, replay, **kwargs):
            if replay and event.associate_id == 3:
                raise KeyboardInterrupt

        connect(signals.any_event, interrupts)
        stdout = StringIO()
        with pytest.raises(CommandError) as caught:
            call_command("superoffice_replay", all=True, stdout=stdout)
        replay = Replay.objects.get()
        assert (replay.state, replay.cancelled_by, replay.done) == ("cancelled", replay.who, 2)
        assert stdout.getvalue().startswith(f"Replay {replay.pk} is cancelled: of 4 events, 2 succ")
        assert "2 events of it were not replayed" in str(caught.value)
        call_command("superoffice_dispatch", stdout=StringIO())
        assert calls == [1, 2, 3]

    def test_somebody_else_can_cancel_it(self, connect):
        def cancels(event, replay, **kwargs):
            if replay and event.associate_id == 2:
                Replay.objects.get().cancel("bob")

        connect(signals.any_event, cancels)
        with pytest.raises(CommandError, match="was cut short: 1 event "):
            run(all=True)
        # The third is of the same batch.
        assert calls == [1, 2, 3]
        assert Replay.objects.get().cancelled_by == "bob"

    def test_a_dispatcher_does_not_take_it_away(self, connect):
        def dispatches(event, replay, **kwargs):
            if replay and event.associate_id == 1:
                call_command("superoffice_dispatch", stdout=StringIO())

        connect(signals.any_event, dispatches)
        assert "of 4 events, 4 succeeded" in run(all=True)
        assert calls == [1, 2, 3, 4]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("events")
class TestProgress:
    def test_a_terminal_is_shown_progress(self, capsys):
        pytest.importorskip("tqdm")
        run(all=True, stderr=Terminal())
        captured = capsys.readouterr()
        assert "4/4" in captured.err
        assert captured.out == ""

    def test_a_file_is_not(self, capsys):
        run(all=True, stderr=StringIO())
        assert capsys.readouterr().err == ""
