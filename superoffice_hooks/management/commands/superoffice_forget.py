"""``manage.py superoffice_forget``: forget what deliveries said of a person."""

import re
from collections import Counter
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from ...retention.forgetting import Request, forget, left_in_spool, set_aside, under_way
from ..options import counted, text_of, time_of, wrong

_RECORD = re.compile(r"([A-Za-z_.0-9]{1,100}):([0-9]{1,18})", re.ASCII)


class Command(BaseCommand):
    help = (
        "Forgets what deliveries said: values, bodies, headers, errors and tracebacks. That"
        " something happened to which record, and when, stays. Unfinished events are left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        # No `type`: call_command() hands keyword arguments on without it.
        add = parser.add_argument
        add(
            "--record",
            metavar="ENTITY:NUMBER",
            help="Forget this record: contact:123.",
        )
        add("--tenant", metavar="TENANT", help="Only what was said of records of this tenant.")
        add("--before", metavar="WHEN", help="Only what came in before then: 2026-05-19, or 90d.")
        add("--dry-run", action="store_true", help="Say what would be done and change nothing.")
        add(
            "--no-input",
            "--noinput",
            action="store_false",
            dest="interactive",
            help="Do not ask before.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        request = _request(options)
        if options["dry_run"]:
            self._say(_counts(request), "Would empty", "Would delete")
        elif options["interactive"] and not _is_confirmed(request):
            raise CommandError("Nothing was changed.")
        else:
            forgotten: Counter[str] = Counter()
            kept: list[str] = []
            for batch in forget(request):
                forgotten[batch.what] += batch.pruned
                kept += batch.kept
            self._say(forgotten, "Emptied", "Deleted")
            if kept:
                raise CommandError("These could not be emptied:\n  " + "\n  ".join(kept))
            if left := left_in_spool():
                raise CommandError(
                    f"{counted(left, 'file')} in the spool of this machine may be of it and could"
                    " not be stored yet. Run this again when the spool is empty."
                )
            if replays := under_way():
                raise CommandError(
                    f"{counted(replays, 'replay')} under way may yet write down an error of it. Run"
                    " this again when it has ended."
                )
        # Counted last: what was in the spool is unfinished now.
        if unfinished := request.unfinished():
            raise CommandError(
                f"{counted(unfinished, 'event')} of it are unfinished and were left alone, because"
                " their receivers still need what they say. Run this again when they are finished."
            )

    def _say(self, numbers: Counter[str], empty: str, delete: str) -> None:
        self.stdout.write(
            f"{empty} {counted(numbers['events'], 'event')}. Looked through"
            f" {counted(numbers['rejections'], 'rejection')}. {empty} the reasons of"
            f" {counted(numbers['replays'], 'replay')} and"
            f" {counted(numbers['groups'], 'failure group')}. {delete}"
            f" {counted(numbers['files'], 'file')} in the spool of this machine."
        )


def _request(options: dict[str, Any]) -> Request:
    record, before = text_of(options, "record"), time_of(options, "before")
    if not record and not before:
        raise CommandError("Say what to forget: --record, --before, or both.")
    if not record:
        return Request(tenant=text_of(options, "tenant"), before=before)
    if not (match := _RECORD.fullmatch(record)):
        raise wrong("record", repr(record), "an entity and a number, as contact:123")
    return Request(
        entity=match[1].lower(),
        primary_key=int(match[2]),
        tenant=text_of(options, "tenant"),
        before=before,
    )


def _counts(request: Request) -> Counter[str]:
    counts = Counter({step.what: step.past_retention().count() for step in request.steps()})
    counts["files"] = len(set_aside(request))
    return counts


def _is_confirmed(request: Request) -> bool:
    try:
        typed = input(f"This cannot be undone. Forget {_meant(request)}? Type 'yes': ")
    except EOFError:
        raise CommandError(
            "Nobody is here to confirm it, so nothing was changed. Use --no-input."
        ) from None
    return typed == "yes"


def _meant(request: Request) -> str:
    what = f"{request.entity} {request.primary_key}" if request.is_of_record else "everything"
    until = f" from before {request.before:%Y-%m-%d %H:%M}" if request.before else ""
    return f"{what}{until}"
