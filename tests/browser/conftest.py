"""Chromium, the admin on a real server, and SuperOffice posting to it."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import Q

from example_project.desk import weekend as desk
from example_project.desk.weekend import Weekend
from superoffice_hooks import signals
from superoffice_hooks.models import Event
from superoffice_hooks.testing import Attempt, SuperOffice, Webhook

from ..admin.conftest import VIEW, logged_in
from ..conftest import SECRET, URL
from .helpdesk import HelpDesk

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from .pages import Admin

BROWSER = os.environ.get("TEST_BROWSER", "")
"""A Chromium to run. Whoever names one wants these tests: they fail if it does not start."""
IMAGES = os.environ.get("TEST_SCREENSHOTS", "")
"""A directory for screenshots that are to stay."""

if find_spec("playwright") is None:
    # They import it; test_browser.py does not, and fails for all of them if they were asked for.
    collect_ignore = [p.name for p in Path(__file__).parent.glob("test_*.py")]
    collect_ignore.remove("test_browser.py")

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}

EVENTS_OF_THE_WEEKEND = int(os.environ.get("TEST_WEEKEND_EVENTS", "1000"))

STAFF = {"vera": VIEW, "rita": (*VIEW, "replay_event", "triage_failuregroup", "manage_webhooks")}
"""Who may only look, and who may replay."""


# Per package, not per session: Playwright leaves its event loop marked as running in this thread,
# where other tests call asyncio.run() and async_to_sync().
@pytest.fixture(scope="package")
def chromium() -> Iterator["Browser"]:
    """The browser; every test has profiles of its own in it."""
    if not BROWSER:
        reason = "TEST_BROWSER is not set; it names a Chromium, for example /usr/bin/chromium"
        (pytest.fail if IMAGES else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Django's word for "I know that a loop is running, and that this is no coroutine".
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield playwright.chromium.launch(executable_path=BROWSER)


@pytest.fixture
def browse(chromium, live_server) -> Iterator[Callable[..., "Admin"]]:
    """``browse("rita")``: the admin as this member of the staff sees it in a profile of their own.

    Options are those of Playwright's ``new_context``. No page may ever complain: see ``Admin``.
    """
    from .pages import Admin

    opened: list[Admin] = []
    with ExitStack() as profiles:

        def browse(name: str = "", **options: Any) -> Admin:
            options = {"viewport": DESKTOP, "reduced_motion": "reduce", **options}
            profile = profiles.enter_context(chromium.new_context(**options))
            if name:
                cookies = logged_in(name, *STAFF.get(name, STAFF["rita"]), is_staff=True).cookies
                cookie = {"name": "sessionid", "value": cookies["sessionid"].value}
                profile.add_cookies([{**cookie, "url": live_server.url}])
            opened.append(Admin(profile.new_page(), live_server.url))
            return opened[-1]

        yield browse
        assert [complaint for admin in opened for complaint in admin.complaints] == []


@pytest.fixture
def deliver(live_server, one_attempt) -> Callable[..., Attempt]:
    """``deliver(notification(...))``: SuperOffice posts it, and the receivers have run.

    Also takes bytes, the webhook's name, secret and headers, and another endpoint.
    """
    superoffice = SuperOffice()

    def deliver(
        sent: Mapping[str, Any] | bytes,
        *,
        endpoint: str = "",
        retry: int = 0,
        secret: str = SECRET,
        **webhook: Any,
    ) -> Attempt:
        url = f"{live_server.url}{URL}{endpoint}"
        attempt = superoffice.attempt(Webhook(url=url, secret=secret, **webhook), sent, retry=retry)
        wait_for_the_receivers()
        return attempt

    return deliver


def wait_for_the_receivers(seconds: float = 20) -> None:
    """They run in threads of their own."""
    deadline = time.monotonic() + seconds
    untouched = Q(status=Event.Status.PENDING, attempts=0)
    while Event.objects.filter(untouched | Q(claim__isnull=False)).exists():
        assert time.monotonic() < deadline, "The receivers do not come to an end."
        time.sleep(0.01)


@pytest.fixture
def helpdesk(connect, deliver) -> HelpDesk:
    """A morning at a help desk: events of several tenants, failures, a replay and rejections."""
    return HelpDesk(connect, deliver)


@pytest.fixture
def weekend(connect, live_server, settings) -> Weekend:
    """A Monday at the example project after a weekend in which much failed; all is mended since.

    With few events; nobody dispatches before a test does.
    """
    settings.SUPEROFFICE_HOOKS = {
        **settings.SUPEROFFICE_HOOKS,
        "DISPATCH": "worker",
        # Or nobody would miss one that fell silent before the window of the overview.
        "SECRETS": {"default": [SECRET], "partner": [SECRET]},
    }
    for signal, name, filters in (
        (signals.ticket_created, "open_ticket", {}),
        (signals.ticket_changed, "follow_ticket", {}),
        (signals.ticket_changed, "flag_ticket", {"fields": {"priority", "deadline"}}),
        (signals.ticket_changed, "note_priority", {"fields": "priority", "ignore_own": True}),
        (signals.on("list.*.softdeleted"), "withdraw_item", {}),
        (signals.sale_sold, "pay_commission", {}),
    ):
        connect(signal, mended(name), **filters)
    return desk.fill(EVENTS_OF_THE_WEEKEND)


def mended(name: str) -> Callable[..., None]:
    """Return a receiver that is content with everything, by its dotted path in the project."""

    def receiver(**kwargs: Any) -> None: ...

    receiver.__module__, receiver.__qualname__ = "example_project.desk.receivers", name
    return receiver
