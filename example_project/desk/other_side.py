"""The webhook at SuperOffice: subscribed, broken, stopped, noticed and restored."""

from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

import superoffice_hooks.testing
from superoffice_hooks.models import Watch

from .scenes import Outcome, Scene

if TYPE_CHECKING:
    from superoffice_hooks.testing import FakeSuperOffice

MAX_ERRORS = 9
"""So many failures in a row end a webhook."""


def is_playable() -> bool:
    """Return whether the extra ``superoffice`` is installed, which this needs."""
    return hasattr(superoffice_hooks.testing, "FakeSuperOffice")


def scenes(url: str) -> Iterator[Scene]:
    """Play a SuperOffice with an API, which delivers to this address."""
    with (
        superoffice_hooks.testing.FakeSuperOffice() as superoffice,
        override_settings(SUPEROFFICE_HOOKS=hooks(superoffice, url)),
    ):
        code = run("superoffice_subscribe", "--apply")
        yield scene("webhook, subscribed", superoffice, code, ("Active", 0))
        break_it(superoffice)
        yield scene(
            "ticket.changed, refused nine times", superoffice, None, ("TooManyErrors", None)
        )
        code = run("superoffice_watch")
        yield scene("webhook, noticed to be stopped", superoffice, code, ("TooManyErrors", 1))
        with override_settings(
            SUPEROFFICE_HOOKS={**settings.SUPEROFFICE_HOOKS, "REACTIVATE": 1000}
        ):
            code = run("superoffice_watch")
        yield scene("webhook, restored", superoffice, code, ("Active", 0))


def hooks(superoffice: "FakeSuperOffice", url: str) -> dict[str, Any]:
    """Return the settings that want a webhook there."""
    return {
        **settings.SUPEROFFICE_HOOKS,
        "CONNECTIONS": {superoffice.tenant: superoffice.connection()},
        "WEBHOOKS": {
            "default": {
                "tenant": superoffice.tenant,
                "url": url,
                "name": "Example project",
                "events": ["ticket.changed"],
            }
        },
        "API_RATE": 100,
    }


def break_it(superoffice: "FakeSuperOffice") -> None:
    """Let deliveries be refused until SuperOffice ends the webhook: its secret is a wrong one."""
    (entry,) = superoffice.entries()
    secret, entry.hook.secret = entry.hook.secret, "changed by somebody"
    for _ in range(MAX_ERRORS):
        superoffice.send("ticket.changed")
    entry.hook.secret = secret


def run(command: str, *arguments: str) -> int:
    """Return how a command exits."""
    try:
        call_command(command, *arguments, stdout=StringIO(), stderr=StringIO())
    except CommandError as error:
        return error.returncode
    return 0


def scene(
    title: str, superoffice: "FakeSuperOffice", code: int | None, expected: tuple[str, int | None]
) -> Scene:
    """Return what SuperOffice has now, and what the command that was run says of it."""
    (entry,) = superoffice.entries()
    noted = Watch.objects.latest("pk").state if code is not None else ""
    state, its_code = expected
    return Scene(
        title,
        outcome(entry.state, noted, code),
        outcome(state, state if its_code is not None else "", its_code),
    )


def outcome(state: str, noted: str, code: int | None) -> Outcome:
    seen = () if code is None else (f"watch {noted}", f"exit code {code}")
    return Outcome(stored_as=f"webhook ({state})", receivers=seen)
