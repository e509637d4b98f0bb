"""``manage.py demo``: the example project, with SuperOffice played against it."""

import os
import secrets
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.urls import reverse

from example_project.desk import other_side, weekend
from example_project.desk.playing import Play
from example_project.desk.scenes import Outcome, Scene
from example_project.desk.serving import Server, serving, temporary_database
from superoffice_hooks.models import Event

HEADINGS = ("Delivery", "Answer", "Stored as", "Receivers", "Fields", "As expected")


class Command(BaseCommand):
    help = (
        "Serves the example project, plays SuperOffice against it over HTTP, shows what became of"
        " each delivery, and goes on serving until Ctrl-C."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add(
            "--once",
            action="store_true",
            help="Play in a new database and stop; fail if anything is not as it should be.",
        )
        add(
            "--weekend",
            action="store_true",
            help="Instead of playing, write five weeks into the empty database that end with a"
            " weekend in which much went wrong, and serve them without a dispatcher.",
        )
        add("--events", type=int, default=weekend.EVENTS, help="How many the weekend has in all.")
        add("--host", default="127.0.0.1", help="The address to serve on.")
        add("--port", type=int, help="The port to serve on; default: a free one.")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "The demo makes an administrator and prints the password, so it is not for"
                " production. Leave out DJANGO_DEBUG, or set it to 1."
            )
        # Leaves as Ctrl-C does, which ends the server.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        with ExitStack() as stack:
            if options["once"]:
                stack.enter_context(temporary_database())
            call_command("migrate", verbosity=0)
            if options["weekend"]:
                self.fill(options["events"])
                if not options["once"]:
                    # It stays until somebody has seen it.
                    os.environ["SUPEROFFICE_DISPATCH"] = "worker"
                    server = stack.enter_context(serving(options["host"], options["port"]))
                    self.invite_on_monday(server)
                    self.stay(server)
                return
            server = stack.enter_context(serving(options["host"], options["port"]))
            self.stdout.write(f"SuperOffice is played against {server.url}.\n\n")
            play = Play(
                url=server.url + reverse("superoffice_hooks:webhook"),
                secret=settings.SUPEROFFICE_HOOKS["SECRETS"][0],
            )
            scenes = list(play.scenes())
            if other_side.is_playable():
                scenes += other_side.scenes(play.webhook.url)
            self.show(scenes)
            self.judge(scenes)
            if not options["once"]:
                self.invite(server, currency_id=play.another_sale_is_sold())
                self.stay(server)

    def fill(self, events: int) -> None:
        """Write the weekend into the database, which must have no event yet."""
        if Event.objects.exists():
            raise CommandError(
                f"The database {settings.DATABASES['default']['NAME']} has events already. Name"
                " another one with DJANGO_DATABASE."
            )
        if events < weekend.FEWEST:
            raise CommandError(f"A weekend has at least {weekend.FEWEST} events.")
        self.stdout.write(f"{events} events are written. This takes a minute for each 50 000.")
        self.stdout.flush()
        weekend.fill(events)

    def invite_on_monday(self, server: Server) -> None:
        """Print where to begin."""
        self.stdout.write(
            f"""
It is Monday morning. Look around: {server.url}{reverse("admin:superoffice_hooks_event_overview")}
The user is admin, the password {new_password()}
{rest_api(server)}
Nobody dispatches. To put that right, in another terminal:
  {manage_py()} superoffice_dispatch

Ctrl-C ends the server."""
        )
        self.stdout.flush()

    def show(self, scenes: Sequence[Scene]) -> None:
        """Print the table."""
        right, wrong = marks(self.stdout)
        rows = [
            (scene.title, *cells(scene.actual), right if scene.is_right else wrong)
            for scene in scenes
        ]
        widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
        ruler = tuple("-" * width for width in widths)
        for row in (HEADINGS, ruler, *rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())
        self.stdout.write("")

    def judge(self, scenes: Sequence[Scene]) -> None:
        """Print whether all is as it should be.

        Raises:
            CommandError: it is not.
        """
        wrong = [scene for scene in scenes if not scene.is_right]
        if wrong:
            raise CommandError(
                f"{len(wrong)} of {len(scenes)} scenes did not end as they should:"
                + "".join(
                    f"\n  {scene.title}: expected {', '.join(cells(scene.expected))};"
                    f" found {', '.join(cells(scene.actual))}"
                    for scene in wrong
                )
            )
        self.stdout.write(f"All {len(scenes)} scenes ended as they should.")

    def invite(self, server: Server, currency_id: int) -> None:
        """Print what there is to see, and to do."""
        admin, password = f"{server.url}{reverse('admin:index')}", new_password()
        self.stdout.write(
            f"""
Look around in the admin: {admin}
The user is admin, the password {password}
{rest_api(server)}
Another sale was sold, in currency {currency_id}, which has no exchange rate. So its event failed:
  {server.url}{reverse("admin:superoffice_hooks_event_changelist")}?status__exact=failed
Add the rate, open the event and press Replay:
  {server.url}{reverse("admin:desk_exchangerate_add")}

Send more in another terminal:
  {manage_py()} superoffice_send {server.url}{reverse("superoffice_hooks:webhook")}

Ctrl-C ends the server."""
        )
        # Through a pipe, nobody would read it before the end.
        self.stdout.flush()

    def stay(self, server: Server) -> None:
        """Wait until somebody ends this."""
        try:
            status = server.process.wait()
        except KeyboardInterrupt:
            self.stdout.write("\nThe server is ended.")
        else:
            raise CommandError(f"The server ended by itself, with status {status}.")


def manage_py() -> str:
    """Return what another terminal calls this project with, whose virtual environment is not on."""
    python, here = Path(sys.executable), Path.cwd()
    return f"{python.relative_to(here) if python.is_relative_to(here) else python} {sys.argv[0]}"


def rest_api(server: Server) -> str:
    """Return the URL of the REST API, if what it needs is installed."""
    if not apps.is_installed("rest_framework"):
        return ""
    events = reverse("superoffice_hooks_api:events")
    return f"The same over the REST API, in a browser too: {server.url}{events}\n"


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Return an outcome as the table shows it."""
    return (
        str(outcome.answer or "-"),
        outcome.stored_as,
        ", ".join(outcome.receivers) or "none",
        str(outcome.changed_fields),
    )


def marks(stream: Any) -> tuple[str, str]:
    """Return marks for right and wrong; words if the terminal has no such characters."""
    try:
        "✓✗".encode(getattr(stream, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return "yes", "NO"
    return "✓", "✗"


def new_password() -> str:
    """Return a new password for the administrator."""
    password = secrets.token_urlsafe(12)
    admin, _ = User.objects.get_or_create(username="admin")
    admin.is_staff = admin.is_superuser = True
    admin.set_password(password)
    admin.save()
    return password
