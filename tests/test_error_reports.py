"""No error report and no repr shows a secret, a signature, a cookie or a password."""

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import django
import pytest
from django.core import mail
from django.test import RequestFactory, override_settings
from django.utils import timezone
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter

from superoffice_hooks import conf
from superoffice_hooks.receiving import deliveries
from superoffice_hooks.wire import signature
from superoffice_hooks.wire.notification import Delivery
from superoffice_hooks.wire.samples import headers, notification

from .conftest import URL, body

OURS = "the secret that nobody may read anywhere"
ANOTHER = "another secret that nobody may read"
COOKIE = "sessionid=the-cookie-of-somebody"
PASSWORD = "Basic cGFzc3dvcmQ6aW4gYSBoZWFkZXI="
SIGNATURE = signature.sign(b"{}", OURS)


def sent_with(sent: bytes = b"{}") -> dict[str, str]:
    return {
        "X-SuperOffice-Signature": signature.sign(sent, OURS),
        "Cookie": COOKIE,
        "Authorization": PASSWORD,
    }


HIDDEN = (OURS, ANOTHER, COOKIE, "the-cookie", PASSWORD, "cGFzc3dvcmQ6", SIGNATURE)


def nothing_hidden_in(text: str) -> bool:
    return not any(hidden in text for hidden in HIDDEN)


def secrets_from_a_vault(endpoint: str) -> list[str]:
    """A callable for SECRETS, which fails when it has them already."""
    of_the_vault = [OURS, ANOTHER]
    raise ConnectionError(f"The vault forgot {len(of_the_vault)} secrets of {endpoint}.")


def secrets_one_by_one(endpoint: str) -> Iterator[str]:
    yield OURS
    raise ConnectionError("The vault is away.")


@pytest.fixture
def delivery() -> Delivery:
    return Delivery(
        endpoint="default",
        body=b"{}",
        headers={**headers(notification(), b"{}"), **sent_with()},
        remote_addr=None,
        received_at=timezone.now(),
    )


def reports_of(delivery: Delivery) -> tuple[str, str]:
    """Django's reports of the error, as HTML and as text; they have this frame, too."""
    request = RequestFactory().post(URL, b"{}", content_type="application/json")
    request.META["HTTP_X_SUPEROFFICE_SIGNATURE"] = SIGNATURE
    try:
        deliveries.receive(delivery)
    except (ConnectionError, MemoryError):
        reporter = ExceptionReporter(request, *sys.exc_info())
        return reporter.get_traceback_html(), reporter.get_traceback_text()
    raise AssertionError("There was no error.")


def stumble(*args: Any) -> Any:
    raise MemoryError


WAYS = {
    "a callable": ("tests.test_error_reports.secrets_from_a_vault", None),
    "a generator": ("tests.test_error_reports.secrets_one_by_one", None),
    "while signing": ([ANOTHER, OURS], "hmac.digest"),
    "while comparing": ({"default": [ANOTHER, OURS]}, "hmac.compare_digest"),
}
# Django 6.0 wants addresses alone, and 5.2 wants names beside them.
ADMINS: list[Any] = ["anna@example.com"]
if django.VERSION < (6, 0):
    ADMINS = [("Anna", "anna@example.com")]

of_each_way = pytest.mark.parametrize(("secrets", "broken"), WAYS.values(), ids=WAYS)


@of_each_way
def test_djangos_report_of_an_error_hides_them(delivery, monkeypatch, secrets, broken):
    if broken:
        monkeypatch.setattr(broken, stumble)
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}):
        reports = reports_of(delivery)
    for report in reports:
        assert "deliveries.py" in report
        assert nothing_hidden_in(report)
    # The report has the variables of frames; this one's, at least.
    assert "delivery" in reports[0]


@of_each_way
@pytest.mark.django_db
def test_so_does_the_mail_that_a_project_sends_of_it(post, monkeypatch, secrets, broken):
    handler = AdminEmailHandler(include_html=True)
    logger = logging.getLogger("superoffice_hooks")
    logger.addHandler(handler)
    signed = sent_with()
    try:
        with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets}, ADMINS=ADMINS):
            if broken:
                monkeypatch.setattr(broken, stumble)
            assert post(body(), secret=None, headers=signed).status_code == 503
    finally:
        logger.removeHandler(handler)
    assert any("could not be taken in" in message.subject for message in mail.outbox)
    for message in mail.outbox:
        assert nothing_hidden_in(str(message.body))
        for html, _type in message.alternatives:
            assert nothing_hidden_in(str(html))


@pytest.mark.parametrize(
    "secrets",
    [[OURS], OURS, {"default": [OURS], "sales": ANOTHER}, ((OURS, ANOTHER),), {OURS, ANOTHER}],
)
def test_the_repr_of_the_settings_hides_them(secrets):
    with override_settings(SUPEROFFICE_HOOKS={"SECRETS": secrets, "MAX_ATTEMPTS": 7}):
        for shown in (repr(conf.current()), str(conf.current()), f"{conf.current()!r:s}"):
            assert nothing_hidden_in(shown)
            assert "MAX_ATTEMPTS=7" in shown


def test_the_repr_of_a_delivery_hides_them(delivery):
    for shown in (repr(delivery), str(replace(delivery, signed=True)), f"{delivery}"):
        assert nothing_hidden_in(shown)
        assert "NetServer-Webhook" in shown
        assert "2 bytes" in shown


def test_the_repr_of_a_delivery_is_short(delivery):
    big = json.dumps({"x": "y" * 1_000_000}).encode()
    assert len(repr(replace(delivery, body=big))) < 2000
