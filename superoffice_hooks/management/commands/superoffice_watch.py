"""``manage.py superoffice_watch``: a look at each webhook, and a ping."""

import time
from typing import Any

from django.core.management import CommandError, CommandParser

from ...models import Watch
from ...superoffice_api import is_installed
from ..api_command import EndpointsCommand

if is_installed():
    from ...subscribing.watching import watch

_WELL, _WRONG, _NOT_KNOWN = 0, 1, 2


class Command(EndpointsCommand):
    help = (
        "Looks once at each webhook that WEBHOOKS wants: its state, its counters, and whether a"
        " ping arrives. Exits with 0 if all deliver, with 1 if one does not or differs from what"
        " is wanted, and with 2 if that could not be found out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--watch", action="store_true", help="stay, and look again and again, until Ctrl-C")
        add(
            "--interval",
            type=float,
            default=300.0,
            metavar="SECONDS",
            help="with --watch: the pause between two looks (default: 300)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        endpoints = self.endpoints(options)
        if options["interval"] < 1:
            raise CommandError("--interval must be at least 1 second.", returncode=_NOT_KNOWN)
        while options["watch"]:
            self._look(endpoints)
            time.sleep(options["interval"])
        if worst := self._look(endpoints):
            raise CommandError("Not every webhook delivers as it should.", returncode=worst)

    def _look(self, endpoints: list[str]) -> int:
        """Look at each; return the worst exit code."""
        worst = _WELL
        for endpoint in endpoints:
            seen = watch(endpoint)
            self.stdout.write(f"{endpoint}: {_sentence(seen)}")
            worst = max(worst, _code(seen))
        return worst


def _code(seen: Watch) -> int:
    if seen.state == Watch.State.UNKNOWN:
        return _NOT_KNOWN
    is_well = seen.state == Watch.State.ACTIVE and not seen.is_down and not seen.differences
    return _WELL if is_well else _WRONG


def _sentence(seen: Watch) -> str:
    if seen.state == Watch.State.UNKNOWN:
        return f"not known. {seen.reason}"
    parts = [f"webhook {seen.webhook} is {seen.state}" if seen.webhook else seen.state]
    if seen.ping:
        parts.append(f"its ping {seen.get_ping_display()}")
    if seen.total_calls is not None:
        parts.append(
            f"{seen.total_calls} calls, {seen.total_errors} errors,"
            f" {seen.consecutive_errors} in a row"
        )
    if seen.differences:
        keys = ", ".join(dict.fromkeys(str(key) for key, *_ in seen.differences))
        parts.append(f"differs from what is wanted in {keys}")
    if seen.reason:
        parts.append(seen.reason.rstrip("."))
    if seen.last_error and seen.consecutive_errors:
        parts.append(f"last error: {seen.last_error}")
    return "; ".join(parts) + "."
