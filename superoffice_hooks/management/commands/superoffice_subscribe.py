"""``manage.py superoffice_subscribe``: the webhook at SuperOffice, compared with what is wanted."""

import socket
from collections.abc import Iterator
from typing import Any

from django.core.management import CommandError, CommandParser

from ...superoffice_api import is_installed
from ...superoffice_api.errors import ApiError, Refused
from ..api_command import EndpointsCommand
from ..os_user import user_name

if is_installed():
    from ...subscribing import applying, looking, rotating

_SAME, _DIFFERS, _NOT_KNOWN = 0, 1, 2


class Command(EndpointsCommand):
    help = (
        "Compares the webhooks that WEBHOOKS wants with those that SuperOffice has, and writes"
        " nothing. Exits with 0 if they are the same, with 1 if they differ, and with 2 if that"
        " is not known. With --apply it makes them the same."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--apply", action="store_true", help="make the webhooks at SuperOffice as wanted")
        add("--adopt", type=int, metavar="ID", help="the webhook that is ours, by its id")
        add("--delete", type=int, metavar="ID", help="with --apply: delete this webhook")
        add("--rotate", action="store_true", help="with --apply: sign with the first of SECRETS")

    def handle(self, *_args: Any, **options: Any) -> None:
        endpoints = self.endpoints(options)
        one = options["adopt"] or options["delete"] or options["rotate"]
        if one and len(endpoints) != 1:
            raise CommandError(
                "--adopt, --delete and --rotate want one endpoint.", returncode=_NOT_KNOWN
            )
        codes = [self._one(endpoint, options) for endpoint in endpoints]
        if worst := max(codes):
            what, advice = "could not be compared", ""
            if options["apply"]:
                what = "could not be made as wanted"
            elif worst == _DIFFERS:
                what, advice = "differ", " Use --apply to make them as wanted."
            message = f"Webhooks that {what}: {sum(map(bool, codes))} of {len(codes)}.{advice}"
            raise CommandError(message, returncode=worst)

    def _one(self, endpoint: str, options: dict[str, Any]) -> int:
        """Do what is wanted for one endpoint; return its exit code."""
        try:
            if options["apply"]:
                for step in _steps(endpoint, options):
                    self.stdout.write(f"{endpoint}: {step}")
                return _SAME
            return self._compare(looking.look(endpoint, adopt=options["adopt"]), options)
        except (applying.NotApplied, Refused) as error:
            self.stderr.write(f"{endpoint}: {error}")
            return _DIFFERS if options["apply"] else _NOT_KNOWN
        except ApiError as error:
            self.stderr.write(f"{endpoint}: {error}")
            return _NOT_KNOWN

    def _compare(self, seen: "looking.Look", options: dict[str, Any]) -> int:
        endpoint, ours = seen.wanted.endpoint, seen.ours
        if options["delete"]:
            self.stdout.write(f"{endpoint}: --apply would delete webhook {options['delete']}.")
            return _DIFFERS
        if ours is None:
            try:
                applying.require_one(seen, options["adopt"])
            except applying.NotApplied as error:
                self.stdout.write(f"{endpoint}: {error}")
                return _DIFFERS
            self.stdout.write(f"{endpoint}: SuperOffice has no webhook for {seen.wanted.url}.")
            return _DIFFERS
        if seen.is_elsewhere and options["adopt"] is None:
            self.stdout.write(
                f"{endpoint}: webhook {ours.id} had the wanted address before, so it is ours."
            )
        for difference in seen.differences:
            self.stdout.write(
                f"{endpoint}: {difference.key} is to be {difference.wanted}, and is"
                f" {difference.actual} (webhook {ours.id})."
            )
        if seen.differences:
            return _DIFFERS
        secret = "" if ours.secret_number == 0 else " Its secret is not shown."
        self.stdout.write(f"{endpoint}: webhook {ours.id} is as wanted.{secret}")
        return _SAME


def _steps(endpoint: str, options: dict[str, Any]) -> Iterator[str]:
    who = f"{user_name()} on {socket.gethostname()}"
    if options["delete"]:
        return iter([applying.delete(endpoint, options["delete"], who=who)])
    if options["rotate"]:
        return rotating.rotate(endpoint, who=who)
    return applying.apply(endpoint, who=who, adopt=options["adopt"])
