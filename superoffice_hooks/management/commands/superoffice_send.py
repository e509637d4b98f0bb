"""``manage.py superoffice_send``: send events to a URL, as SuperOffice does."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from ... import conf
from ...exceptions import UnknownEndpoint
from ...testing import RETRY_DELAYS, Attempt, State, SuperOffice, Webhook, notification
from ..options import counted
from ..progress_bar import above_the_bar, progress

_MADE_UP = ("changes", "primary_key", "tenant", "webhook_name")
_REDIRECTED = "SuperOffice follows no redirect: use the address to which this one leads."
_LIKELY_MISTAKES = {
    None: "Is the server running, and is the address right?",
    301: _REDIRECTED,
    302: _REDIRECTED,
    307: _REDIRECTED,
    308: _REDIRECTED,
    400: "Has ALLOWED_HOSTS of the receiving project the host of this address?",
    401: "The receiving endpoint knows no such secret. Compare SUPEROFFICE_HOOKS['SECRETS'] over"
    " there with --secret, or with what the settings here have for --endpoint.",
    403: "This is another view than the webhook, or something in front of it refuses us.",
    404: "Is this where urls.py has the webhook, usually /superoffice/webhook/ or"
    " /superoffice/webhook/<endpoint>/, and has SUPEROFFICE_HOOKS['SECRETS'] that endpoint?",
    405: "This view takes no POST, so it is not the webhook.",
    413: "The body is longer than SUPEROFFICE_HOOKS['MAX_BODY_BYTES'] over there.",
    503: "The receiving project could not store it: is its database up, and migrated?",
}


Outgoing = Callable[[], Mapping[str, Any] | bytes]
"""A function that makes the next event to send."""


class Command(BaseCommand):
    help = (
        "Sends signed events to a URL as SuperOffice would: again after 1 and 4 seconds unless the"
        " answer is 200, and nothing more after nine failures in a row."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("url", help="Where to: https://crm.example.com/superoffice/webhook/.")
        add("events", nargs="*", metavar="event", help="Event names; ticket.changed if none.")
        add("--secret", help="Signs the events; an empty one leaves them unsigned.")
        add(
            "--endpoint",
            default=conf.DEFAULT_ENDPOINT,
            help="Without --secret, the newest secret of this endpoint in the settings here signs.",
        )
        add("--count", type=int, default=1, metavar="NUMBER", help="How often to send each event.")
        add("--rate", type=float, metavar="NUMBER", help="The maximum number of events per second.")
        add("--changes", metavar="NAMES", help="The changed fields: priority,ticket_status.")
        add("--primary-key", type=int, metavar="NUMBER", help="The number of the record.")
        add("--tenant", help="The ContextIdentifier: Cust12345.")
        add("--webhook-name", metavar="NAME", help="The WebhookName.")
        add(
            "--body",
            metavar="FILE",
            help="Send exactly these bytes instead of made-up events; - reads them from the input.",
        )
        add("--no-retry", action="store_true", help="Try each event once.")

    def handle(self, *_args: Any, **options: Any) -> None:
        webhook = _webhook(options)
        events = _events(options)
        superoffice = SuperOffice(sleep=sleep, delays=(0,) if options["no_retry"] else RETRY_DELAYS)
        answers: Counter[int | None] = Counter()
        sent = 0
        is_shown = len(events) > 1 and self.stderr.isatty()
        with progress(len(events), "event", is_shown=is_shown) as advance:
            for event in _paced(events, _rate(options)):
                for attempt in superoffice.deliver(webhook, event()):
                    self._report(attempt)
                    answers[attempt.status] += 1
                sent += 1
                advance(1)
                if webhook.state != State.ACTIVE:
                    break
        self._conclude(answers, sent, len(events))

    def _report(self, attempt: Attempt) -> None:
        """Print the result of an attempt; above the progress bar, if there is one."""
        which = f"{attempt.event or 'No event name'}, {attempt.event_id or 'no event id'}"
        retry = f", retry {attempt.retry}" if attempt.retry else ""
        answer = attempt.status or f"no answer ({attempt.error})"
        with above_the_bar():
            self.stdout.write(f"{which}{retry}: {answer} in {attempt.elapsed * 1000:.0f} ms.")

    def _conclude(self, answers: Counter[int | None], sent: int, planned: int) -> None:
        """Print how many events arrived.

        Raises:
            CommandError: some were lost.
        """
        lost = sent - answers[200]
        self.stdout.write(
            f"Sent {counted(sent, 'event')} in {counted(answers.total(), 'request')}:"
            f" {answers[200]} arrived and {lost} got lost."
        )
        if not lost:
            return
        failure = next(answer for answer, _ in answers.most_common() if answer != 200)
        reason = f"the answer was {failure}" if failure else "there was no answer"
        hint = _LIKELY_MISTAKES.get(failure, "To SuperOffice every answer but 200 is a failure.")
        message = f"{counted(lost, 'event')} of {planned} got lost: {reason}. {hint}"
        if unsent := planned - sent:
            gone = "410 ends a webhook at once"
            cause = gone if answers[410] else "Nine failures in a row end a webhook"
            message += f" {cause}, so {counted(unsent, 'event')} stayed unsent."
        raise CommandError(message)


def _webhook(options: Mapping[str, Any]) -> Webhook:
    """Return the webhook for which events are sent.

    Raises:
        CommandError: the address or the secret is invalid.
    """
    secret = _secret(options)
    try:
        webhook = Webhook(url=options["url"], secret=secret)
    except ValueError as error:
        raise CommandError(
            f"{error} Give the whole address, like http://127.0.0.1:8000/superoffice/webhook/."
        ) from None
    if options["webhook_name"] is not None:
        webhook.name = options["webhook_name"]
    return webhook


def _secret(options: Mapping[str, Any]) -> str:
    """Return the secret of the option, or the newest secret of the endpoint."""
    if options["secret"] is not None:
        return str(options["secret"])
    endpoint = options["endpoint"]
    try:
        secrets = conf.current().secrets_of(endpoint)
    except UnknownEndpoint:
        secrets = ()
    if not any(secrets):
        raise CommandError(
            f"{conf.SETTING}['SECRETS'] of this project has no secret for the endpoint"
            f" {endpoint!r}. Name another with --endpoint, or give the secret with --secret;"
            " an empty --secret sends unsigned."
        )
    return next(filter(None, secrets))


def _events(options: Mapping[str, Any]) -> list[Outgoing]:
    """Return what to send, in order.

    Raises:
        CommandError: options contradict each other or are invalid.
    """
    count = int(options["count"])
    if count < 1:
        raise CommandError(f"--count was given {count}; expected 1 or more.")
    if options["body"] is None:
        values = _values(options)
        names = options["events"] or ["ticket.changed"]
        return [partial(notification, name, **values) for name in names * count]
    if options["events"] or any(options[key] is not None for key in _MADE_UP):
        raise CommandError(
            "--body sends a file as it is: leave out the event names and"
            f" {', '.join('--' + key.replace('_', '-') for key in _MADE_UP)}."
        )
    try:
        file = options["body"]
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except (OSError, ValueError) as error:
        raise CommandError(f"--body {options['body']} cannot be read: {error}.") from None
    return [lambda: body] * count


def _values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the options, under SuperOffice's keys."""
    changes = options["changes"]
    if changes is not None:
        changes = [name.strip() for name in changes.split(",") if name.strip()]
    values = {
        "Changes": changes,
        "PrimaryKey": options["primary_key"],
        "ContextIdentifier": options["tenant"],
    }
    return {key: value for key, value in values.items() if value is not None}


def _rate(options: Mapping[str, Any]) -> float:
    """Return the events per second; infinite without the option.

    Raises:
        CommandError: it is not above zero.
    """
    rate = float("inf") if options["rate"] is None else float(options["rate"])
    if not rate > 0:
        raise CommandError(f"--rate was given {options['rate']}; expected a number above 0.")
    return rate


def _paced(events: list[Outgoing], rate: float) -> Iterator[Outgoing]:
    """Yield the events, each when its time has come."""
    started = monotonic()
    for number, event in enumerate(events):
        if (early := started + number / rate - monotonic()) > 0:
            sleep(early)
        yield event
