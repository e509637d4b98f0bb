"""``manage.py superoffice_replay``: stored events dispatched again, chosen by options."""

import getpass
import re
import sys
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, router
from tqdm import tqdm

from ...calling import BrokenOff
from ...models import Event, ReceiverRun, Replay
from ...replaying import Criteria, Preview, carry_on, plan
from ...signals import connected
from ..options import counted, moment_of, number_of, text_of, texts_of, wrong

_RECORD = re.compile(r"([^:]+):(-?\d{1,19})", re.ASCII)


class Command(BaseCommand):
    help = (
        "Dispatches stored events again, oldest first: those that meet every option given."
        " Receivers that succeeded before are called again too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        # No `type` and no `choices`: call_command() hands keyword arguments on without them.
        add = parser.add_argument
        repeated: dict[str, Any] = {"action": "append", "metavar": "VALUE"}
        add("--event-id", **repeated, help="SuperOffice's EventId; may be repeated.")
        add("--event", metavar="NAME", help="An event name or pattern: ticket.changed, 'ticket.*'.")
        add("--record", metavar="ENTITY:NUMBER", help="Events of one record: ticket:527331.")
        add("--tenant", help="The ContextIdentifier: Cust12345.")
        add("--changed", **repeated, help="A changed field; if repeated, any of them will do.")
        add("--status", help=f"One of {', '.join(Event.Status.values)}.")
        add("--endpoint", help="The endpoint that received the event.")
        add(
            "--since",
            metavar="WHEN",
            help="Received then or later: 2026-05-19, 2026-05-19T14:30, or 30m, 2h, 3d, 1w ago."
            " The project's time zone counts, unless there is an offset.",
        )
        add("--until", metavar="WHEN", help="Received before then; a date means its midnight.")
        add("--limit", metavar="NUMBER", help="At most so many events, the oldest first.")
        add("--all", action="store_true", help="All events; needed if no option above selects any.")
        add("--receiver", **repeated, help="Call this dotted path only; may be repeated.")
        add("--reason", default="superoffice_replay", help="Why; kept with the replay.")
        add("--dry-run", action="store_true", help="Say what would be done and change nothing.")

    def handle(self, *_args: Any, **options: Any) -> None:
        criteria = _criteria(options)
        receivers = _receivers(options)
        why = text_of(options, "reason")
        if options["dry_run"]:
            self._announce(criteria, receivers)
        else:
            self._replay(plan(criteria, who=_who(), why=why, receivers=receivers))

    def _announce(self, criteria: Criteria, receivers: tuple[str, ...]) -> None:
        """Say what would be replayed, and who would be called."""
        preview = Preview(criteria)
        calls = {
            path: count
            for path, count in preview.receivers.items()
            if not receivers or path in receivers
        }
        self.stdout.write(f"Dry run: {counted(preview.events, 'event')} would be replayed.")
        for path in sorted(calls):
            self.stdout.write(f"{path} would be called for {counted(calls[path], 'event')}.")
        if not calls:
            self.stdout.write("No receiver would be called.")
        self.stdout.write("Nothing was changed.")

    def _replay(self, planned: Replay) -> None:
        """Replay what was planned, with a progress bar if somebody is watching."""
        with tqdm(
            total=planned.planned,
            unit="event",
            file=sys.stderr,
            disable=not self.stderr.isatty(),
        ) as bar:
            try:
                for _ in carry_on(planned):
                    bar.update()
            except KeyboardInterrupt:
                # Who stops it means to: nobody is to go on behind their back.
                planned.cancel(planned.who)
            except (BrokenOff, DatabaseError, InterfaceError) as error:
                raise CommandError(
                    f"Replay {planned.pk} was broken off, and dispatchers go on with it. It is not"
                    f" to be planned again. The reason: {error.__cause__ or error}"
                ) from error
        self._tell(planned)

    def _tell(self, replayed: Replay) -> None:
        """What came of it; an error unless everything went well."""
        state = replayed.state
        runs = ReceiverRun.objects.using(router.db_for_write(ReceiverRun)).filter(replay=replayed)
        self.stdout.write(
            f"Replay {replayed.pk} is {state}: of {counted(replayed.planned, 'event')},"
            f" {replayed.done - replayed.skipped} succeeded, {replayed.skipped} had no receiver and"
            f" {replayed.failed} failed. Receivers were called"
            f" {counted(runs.count(), 'time')}."
        )
        if state != Replay.State.FINISHED:
            raise CommandError(
                f"Replay {replayed.pk} was cut short: {counted(replayed.remaining, 'event')} of it"
                " were not replayed by this command."
            )
        if replayed.failed:
            raise CommandError(
                f"{counted(replayed.failed, 'event')} failed: a receiver raised, or another process"
                f" was dispatching the event. The receiver runs of replay {replayed.pk} have the"
                " tracebacks. Once the cause is gone, replay what has the status failed."
            )


def _criteria(options: Mapping[str, Any]) -> Criteria:
    """The events that were asked for.

    Raises:
        CommandError: a value makes no sense, or nothing was asked for.
    """
    entity, primary_key = _record(options)
    criteria = Criteria(
        event_ids=tuple(_guid(text) for text in texts_of(options, "event_id")),
        name=text_of(options, "event"),
        entity=entity,
        primary_key=primary_key,
        tenant=text_of(options, "tenant"),
        changed=texts_of(options, "changed"),
        status=_status(options),
        endpoint=text_of(options, "endpoint"),
        since=moment_of(options, "since"),
        until=moment_of(options, "until"),
        limit=number_of(options, "limit"),
    )
    if not (criteria.given().keys() - {"limit"} or options["all"]):
        raise CommandError(
            "Nothing selects the events to replay. Add an option that does, as --status failed,"
            " --event ticket.changed or --since 2h; or add --all to replay every stored event."
        )
    return criteria


def _receivers(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Dotted paths of the receivers to call; none means all.

    Raises:
        CommandError: no such receiver is connected.
    """
    paths = texts_of(options, "receiver")
    known = {receiver.path for receiver in connected()}
    for path in paths:
        if path not in known:
            listed = "".join(f"\n  {known_path}" for known_path in sorted(known)) or " none"
            raise CommandError(
                f"--receiver was given {path!r}, but no such receiver is connected."
                f" Connected are:{listed}"
            )
    return paths


def _guid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        expected = "a GUID like 1fc5752a-6de8-412d-847a-12d5529a0ec6"
        raise wrong("event_id", repr(text), expected) from None


def _record(options: Mapping[str, Any]) -> tuple[str, int | None]:
    if not (text := text_of(options, "record")):
        return "", None
    if match := _RECORD.fullmatch(text):
        return match[1], int(match[2])
    raise wrong("record", repr(text), "ENTITY:NUMBER, as ticket:527331")


def _status(options: Mapping[str, Any]) -> str:
    text = text_of(options, "status")
    if text and text not in Event.Status.values:
        raise wrong("status", repr(text), "one of " + ", ".join(Event.Status.values))
    return text


def _who() -> str:
    """This command, and who is logged in to the operating system."""
    try:
        user = getpass.getuser()
    # Containers run as users without a name; which error says so depends on the Python.
    except (OSError, KeyError, ImportError):
        user = "unknown user"
    return f"superoffice_replay ({user})"
