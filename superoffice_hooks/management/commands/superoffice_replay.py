"""``manage.py superoffice_replay``: replay the events that the options select."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, router

from ...dispatching.calling import BrokenOff
from ...models import ReceiverRun, Replay
from ...receivers import connected
from ...replay.criteria import Criteria, offered, selects
from ...replay.criterion import Criterion
from ...replay.options import OPTIONS
from ...replay.running import Preview, carry_on, plan
from ...replay.value_kinds import Flag, Time
from ..options import counted, text_of, texts_of, time_of, wrong
from ..os_user import user_name
from ..progress_bar import progress

_RECORD = re.compile(r"([^:]+):(-?\d{1,19})", re.ASCII)


class Command(BaseCommand):
    help = (
        "Dispatches stored events again, oldest first: those that meet all options."
        " Receivers that succeeded before are called again too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        # No `type` and no `choices`: call_command() does not apply them to keyword arguments.
        add = parser.add_argument
        repeated: dict[str, Any] = {"action": "append", "metavar": "VALUE"}
        for row in offered("command"):
            how: dict[str, Any] = repeated if row.many else {}
            if row.default is False:
                how = {"action": "store_true", "default": None}
            add(f"--{row.option}", dest=_dest(row), help=row.help.replace("`", ""), **how)
        add("--record", metavar="ENTITY:NUMBER", help="Events of one record: ticket:527331.")
        add("--all", action="store_true", help="All events; needed if no option above selects any.")
        add("--receiver", **repeated, help="Call this dotted path only; may be repeated.")
        for option in OPTIONS:
            add(f"--{option.option}", action="store_true", help=option.help)
        add("--reason", default="superoffice_replay", help="The reason; kept with the replay.")
        add("--dry-run", action="store_true", help="Say what would be done and change nothing.")

    def handle(self, *_args: Any, **options: Any) -> None:
        criteria = _criteria(options)
        receivers = _receivers(options)
        reason = text_of(options, "reason")
        if options["dry_run"]:
            self._preview(Preview(criteria, receivers, **_flags(options)))
        else:
            planned = plan(
                criteria,
                who=f"superoffice_replay ({user_name()})",
                reason=reason,
                receivers=receivers,
                **_flags(options),
            )
            self._replay(planned)

    def _preview(self, preview: Preview) -> None:
        """Print how many events would be replayed, and which receivers would be called."""
        self.stdout.write(f"Dry run: {counted(preview.events, 'event')} would be replayed.")
        if preview.is_cut:
            self.stdout.write("There are more; the figures are of these, the oldest ones.")
        for path, count in preview.calls.items():
            self.stdout.write(f"{path} would be called for {counted(count, 'event')}.")
        for path in preview.joining:
            self.stdout.write(
                f"In its dispatch, an event joins others for {path}. The replay calls it for each"
                " event by itself."
            )
        if not preview.calls:
            self.stdout.write("No receiver would be called.")
        elif superseded := preview.superseded_records:
            self.stdout.write(
                f"{counted(superseded, 'record')} of {preview.called_records} had a newer event"
                " that is not called for. --unsuperseded would leave out all events of these."
            )
        self.stdout.write("Nothing was changed.")

    def _replay(self, planned: Replay) -> None:
        """Carry the replay on to its end, with a progress bar on a terminal."""
        is_shown = self.stderr.isatty()
        with progress(planned.planned, "event", is_shown=is_shown) as advance:
            try:
                for _ in carry_on(planned):
                    advance(1)
            except KeyboardInterrupt:
                # The user wants it to stop, so no dispatcher must carry it on.
                planned.cancel(planned.who)
            except (BrokenOff, DatabaseError, InterfaceError) as error:
                raise CommandError(
                    f"Replay {planned.pk} was broken off, and dispatchers carry it on. Do not plan"
                    f" it again. The reason: {error.__cause__ or error}"
                ) from error
        self._report(planned)

    def _report(self, replayed: Replay) -> None:
        """Print the result; raise CommandError if an event failed."""
        state = replayed.state
        runs = ReceiverRun.objects.using(router.db_for_write(ReceiverRun)).filter(replay=replayed)
        self.stdout.write(
            f"Replay {replayed.pk} is {state}: of {counted(replayed.planned, 'event')},"
            f" {replayed.done - replayed.skipped} succeeded, {replayed.skipped} had no receiver,"
            f" {replayed.failed - replayed.busy} failed and {replayed.busy} were unfinished."
            f" Receivers were called"
            f" {counted(runs.count(), 'time')}."
        )
        if state != Replay.State.FINISHED:
            raise CommandError(
                f"Replay {replayed.pk} was cut short: {counted(replayed.remaining, 'event')} of it"
                " were not replayed by this command."
            )
        if failed := list(_failed(replayed)):
            raise CommandError(" ".join(failed))


def _failed(replayed: Replay) -> Iterator[str]:
    """Yield in sentences what failed in a replay, and what to do."""
    if raised := replayed.failed - replayed.busy:
        yield (
            f"{counted(raised, 'event')} failed: a receiver raised. The receiver runs of replay"
            f" {replayed.pk} have the tracebacks. Once the cause is gone, replay what has the"
            " status failed."
        )
    if replayed.busy:
        left = "was unfinished and is" if replayed.busy == 1 else "were unfinished and are"
        yield (
            f"{counted(replayed.busy, 'event')} {left} left to the ordinary dispatch: no receiver"
            " was called by this replay."
        )


def _criteria(options: Mapping[str, Any]) -> Criteria:
    """Return the criteria of the options.

    Raises:
        CommandError: a value is invalid, or nothing selects events.
    """
    values = {row.name: _value(row, options) for row in offered("command")}
    if record := text_of(options, "record"):
        if not (match := _RECORD.fullmatch(record)):
            raise wrong("record", repr(record), "ENTITY:NUMBER, as ticket:527331")
        if values["entity"] or values["primary_key"] is not None:
            raise CommandError("--record stands for --entity and --primary-key: leave those out.")
        values |= {"entity": match[1], "primary_key": int(match[2])}
    criteria = Criteria(**values)
    if not (selects(criteria) or options["all"]):
        raise CommandError(
            "Nothing selects the events to replay. Add an option that does, as --status failed,"
            " --event ticket.changed or --since 2h; or add --all to replay every stored event."
        )
    return criteria


def _flags(options: Mapping[str, Any]) -> dict[str, bool]:
    return {option.name: options[option.name] for option in OPTIONS}


def _dest(row: Criterion) -> str:
    return row.option.replace("-", "_")


def _value(row: Criterion, options: Mapping[str, Any]) -> Any:
    """Return the value of a criterion."""
    key = _dest(row)
    if isinstance(row.kind, Time):
        return time_of(options, key)
    texts = texts_of(options, key) if row.many else tuple(filter(None, [text_of(options, key)]))
    values = tuple(_parsed(row, key, text) for text in texts)
    return values if row.many else next(iter(values), row.default)


def _parsed(row: Criterion, key: str, text: str) -> Any:
    try:
        return row.kind.parse(text.lower() if isinstance(row.kind, Flag) else text)
    except ValueError:
        raise wrong(key, repr(text), row.kind.expected) from None


def _receivers(options: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return dotted paths of the receivers to call; None means all.

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
    return paths or None
