"""Who looks at the admin, and what there is to see."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from superoffice_hooks.models import Event

from .page import Page

EVENTS = "/admin/superoffice_hooks/event/"
REPLAY = f"{EVENTS}replay/"
GROUPS = "/admin/superoffice_hooks/failuregroup/"
REJECTIONS = "/admin/superoffice_hooks/rejection/"
REPLAYS = "/admin/superoffice_hooks/replay/"
WATCHES = "/admin/superoffice_hooks/watch/"

VIEW = ("view_event", "view_failuregroup", "view_rejection", "view_replay", "view_watch")


def logged_in(name: str, *permissions: str, **flags: bool) -> Client:
    """The browser of a new user."""
    user = User.objects.create(username=name, **flags)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def raises(**kwargs):
    """A receiver that makes the same mistake each time."""
    raise ValueError("no <b>such</b> ticket")


@pytest.fixture
def anonymous() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def clerk(db) -> Client:
    """Staff with no permission of ours."""
    return logged_in("clerk", is_staff=True)


@pytest.fixture
def viewer(db) -> Client:
    return logged_in("vera", *VIEW, is_staff=True)


@pytest.fixture
def replayer(db) -> Client:
    return logged_in(
        "rita", *VIEW, "replay_event", "triage_failuregroup", "manage_webhooks", is_staff=True
    )


@pytest.fixture
def superuser(db) -> Client:
    return logged_in("sue", is_staff=True, is_superuser=True)


@pytest.fixture
def page_of(viewer) -> Callable[..., Page]:
    """What somebody who may look, and no more, sees of an event."""

    def page_of(event: Event) -> Page:
        return Page.get(viewer, f"{EVENTS}{event.pk}/change/")

    return page_of
