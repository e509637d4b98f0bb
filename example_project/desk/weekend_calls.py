"""What the receivers make of the events of ``weekend``."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random

from superoffice_hooks.models import Event, FailureGroup, ReceiverRun, Replay

from . import weekend_news as news

RECEIVERS = "example_project.desk.receivers"
FILE = "/srv/desk/example_project/desk/receivers.py"
DELAYS = (60, 300, 1800, 7200)
"""Seconds before the second attempt and those after it."""
SECONDS = {
    "open_ticket": 0.02,
    "follow_ticket": 0.05,
    "flag_ticket": 0.03,
    "note_priority": 0.25,
    "withdraw_item": 0.04,
    "pay_commission": 0.12,
}
"""How long a call of each receiver usually takes."""

Outcome = ReceiverRun.Outcome


@dataclass(frozen=True, slots=True)
class Trouble:
    """The reason for which a call fails."""

    receiver: str
    error: str
    line: int
    outcome: str = Outcome.FAILED
    seconds: float = 0.0

    def group(self) -> FailureGroup:
        """Return the group of its failures, not stored, as a receiver that fails so would open."""
        exception = self.error.partition(":")[0]
        receiver = f"{RECEIVERS}.{self.receiver}"
        frame = f"example_project/desk/receivers.py:{self.receiver}"
        cause = "\0".join((receiver, exception, frame)).encode()
        return FailureGroup(
            fingerprint=sha256(cause).hexdigest(),
            receiver=receiver,
            exception=exception,
            frame=frame,
            error=self.error,
        )

    @property
    def traceback(self) -> str:
        """Return what Python prints: a frame of the library, and one of the project."""
        library = "/srv/desk/lib/site-packages/superoffice_hooks"
        return (
            "Traceback (most recent call last):\n"
            f'  File "{library}/dispatching/calling.py", line 172, in call_receiver\n'
            "    receiver.call(sender=Event, event=event)\n"
            f'  File "{library}/receivers.py", line 180, in call\n'
            "    function(signal=self.signal, changes=self.changes, **arguments)\n"
            f'  File "{FILE}", line {self.line}, in {self.receiver}\n{self.error}\n'
        )


BOARD = Trouble(
    "note_priority", "TimeoutError: The notice board has not answered for 10 seconds.", 51,
    seconds=10,
)  # fmt: skip
CONFLICT = Trouble(
    "follow_ticket",
    "django.db.utils.IntegrityError: UNIQUE constraint failed: desk_ticket.tenant,"
    " desk_ticket.number",
    30,
)
NO_RATE = Trouble(
    "pay_commission",
    "superoffice_hooks.exceptions.GiveUp: Currency 36 has no exchange rate. Add it under Help desk,"
    " Exchange rates, and replay this event.",
    73,
    Outcome.GAVE_UP,
)
LOST = Trouble("flag_ticket", "ConnectionResetError: [Errno 104] Connection reset by peer", 41)


class Calls:
    """Calls receivers in thought, as a dispatcher that died one day would have done."""

    def __init__(
        self,
        random: Random,
        died_at: datetime,
        *,
        board_down: tuple[datetime, datetime],
        conflict_since: datetime,
        weekend_since: datetime,
    ) -> None:
        self.random = random
        self.groups: dict[Trouble, FailureGroup] = {}
        self.died_at = died_at
        self.board_down = board_down
        self.conflict_since = conflict_since
        self.weekend_since = weekend_since

    def of(self, event: Event) -> Iterator[ReceiverRun]:
        """Yield the runs of an event, and leave the event as its attempts have left it."""
        left = list(_receivers(event))
        due, failed = event.received_at + timedelta(milliseconds=30), False
        while left and due < self.died_at:
            event.attempts += 1
            runs = [self._run(event, receiver, due) for receiver in left]
            yield from runs
            failed |= any(run.outcome == Outcome.GAVE_UP for run in runs)
            left = [r for r, run in zip(left, runs, strict=True) if run.outcome == Outcome.FAILED]
            event.begun_at, event.begun_by = due, "desk1 pid 4711"
            event.finished_at = max(run.started_at + run.duration for run in runs)
            if event.attempts > len(DELAYS):
                failed |= bool(left)
                break
            due += timedelta(seconds=DELAYS[event.attempts - 1])
        else:
            if left or (due >= self.died_at and not event.attempts):
                event.next_attempt_at, event.finished_at = due, None
                return
        event.finished_at = event.finished_at or due
        event.status = _status(event, failed)
        if failed and event.received_at < self.weekend_since:
            event.status, event.handled_by = Event.Status.HANDLED, "anna"
            event.handled_reason = "Paid by hand"

    def again(self, event: Event, receiver: str, at: datetime, replay: Replay) -> ReceiverRun:
        """Return the run of a receiver in a replay."""
        run = self._run(event, receiver, at)
        run.replay = replay
        run.counts_in_group = run.outcome != Outcome.SUCCEEDED
        if run.succeeded_in is not None:
            run.succeeded_in = replay.pk
        return run

    def _run(self, event: Event, receiver: str, at: datetime) -> ReceiverRun:
        trouble = self._trouble(event, receiver, at)
        seconds = SECONDS[receiver] * self.random.lognormvariate(0, 0.6)
        if trouble:
            seconds = trouble.seconds or seconds
        return ReceiverRun(
            event=event,
            receiver=f"{RECEIVERS}.{receiver}",
            attempt=event.attempts,
            outcome=trouble.outcome if trouble else Outcome.SUCCEEDED,
            started_at=at,
            duration=timedelta(seconds=seconds),
            error=trouble.error if trouble else "",
            traceback=trouble.traceback if trouble else "",
            group=self._group(trouble, at) if trouble else None,
            succeeded_in=None if trouble else ReceiverRun.FIRST_DISPATCH,
        )

    def _group(self, trouble: Trouble, at: datetime) -> FailureGroup:
        group = self.groups.get(trouble)
        if group is None:
            group = self.groups[trouble] = trouble.group()
            group.first_seen = group.last_seen = at
            group.save()
        group.last_seen = max(group.last_seen, at)
        return group

    def _trouble(self, event: Event, receiver: str, at: datetime) -> Trouble | None:
        since, until = self.board_down
        match receiver:
            case "note_priority" if since <= at < until:
                return BOARD
            case "follow_ticket" if event.tenant == news.CONFLICT and at >= self.conflict_since:
                return CONFLICT
            case "pay_commission" if _currency(event) == news.UNKNOWN_CURRENCY:
                return NO_RATE
            case "flag_ticket" if event.attempts == 1 and self.random.random() < 0.01:
                return LOST
        return None


def _receivers(event: Event) -> Iterator[str]:
    """Yield the receivers of the help desk that an event is for."""
    match event.name:
        case "ticket.created":
            yield "open_ticket"
        case "ticket.changed":
            changes = set(event.changes)
            yield "follow_ticket"
            if not changes or changes & {"priority", "alert_level", "deadline"}:
                yield "flag_ticket"
            if "priority" in changes and not event.is_own:
                yield "note_priority"
        case "list.category.softdeleted":
            yield "withdraw_item"
        case "sale.sold":
            yield "pay_commission"


def _currency(event: Event) -> int | None:
    number: int | None = event.payload["FieldValues"].get("currency_id")
    return number


def _status(event: Event, failed: bool) -> str:
    if failed:
        return Event.Status.FAILED
    return Event.Status.SUCCEEDED if event.attempts else Event.Status.SKIPPED
