"""What mails or reports errors hears of each cause once, with the exception."""

import logging
from collections.abc import Iterator

import django
import pytest
from django.utils.log import AdminEmailHandler

from superoffice_hooks.models import FailureGroup
from superoffice_hooks.signals import ticket_changed

from ..conftest import SECRET, body

pytestmark = pytest.mark.django_db


@pytest.fixture
def admins(settings) -> Iterator[None]:
    """As docs/monitoring.md has it."""
    address = "admin@example.com"
    settings.ADMINS = [address if django.VERSION >= (6,) else ("Ada", address)]
    handler = AdminEmailHandler()
    handler.setLevel("ERROR")
    logging.getLogger("superoffice_hooks").addHandler(handler)
    yield
    logging.getLogger("superoffice_hooks").removeHandler(handler)


def raises(**kwargs):
    raise ValueError("no such ticket")


@pytest.mark.usefixtures("admins")
def test_admins_are_mailed_once_for_each_cause_with_the_exception(post, connect, mailoutbox):
    connect(ticket_changed, raises)
    for _ in range(3):
        post(body())
    (mail,) = mailoutbox
    group = FailureGroup.objects.get()
    assert f"in a new way, which is failure group {group.pk}" in mail.subject
    assert "Exception Value: no such ticket" in mail.body
    assert SECRET not in mail.body
    FailureGroup.objects.update(state=FailureGroup.State.RESOLVED)
    post(body())
    assert "which is open again" in mailoutbox[-1].subject
    assert len(mailoutbox) == 2
