"""superoffice_connect --check: what works, and what is missing in a sentence."""

import pytest

from superoffice_hooks.testing import FakeSuperOffice
from superoffice_hooks.testing.fake import Reply

from .conftest import Run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hooks")]


def connect(*arguments: str) -> Run:
    return Run("superoffice_connect", "--check", *arguments)


def test_all_that_works(superoffice):
    run = connect()
    assert run.code == 0, run.text
    for part in (
        f"API is at {superoffice.root}/v1/, and the tenant is Running",
        "SuperOffice 12.1.721.0",
        "Signed in as hooks@example.com, associate 42",
        "{'Cust12345': [42]} to OWN_ASSOCIATES",
        "base time zone is NO (UTC+01:00) Oslo",
        "Webhooks can be read; 0",
        "(traveltransactionlog) can be read",
        "(ticket_log_action) can be read",
        "(ticket_log_change) can be read",
    ):
        assert part in run.out
    assert superoffice.writes() == []


def test_an_application_without_the_webhook_agent(superoffice):
    superoffice.fail("/v1/Webhook", reply=Reply(403, {"ErrorType": "No", "ErrorMessage": "agent"}))
    run = connect()
    assert run.code == 1
    assert "needs the Webhook agent" in run.err


def test_a_log_that_cannot_be_read_is_said_and_is_no_failure(superoffice):
    superoffice.api.unreadable.add("ticket_log_action")
    run = connect()
    assert (run.code, "(ticket_log_action) cannot be read" in run.out) == (0, True)


def test_a_sign_in_that_fails(superoffice):
    superoffice.login.is_revoked = True
    run = connect()
    assert (run.code, "was revoked" in run.err) == (1, True)


def test_a_tenant_that_is_not_configured():
    run = connect("Cust99999")
    assert (run.code, "does not name this tenant" in run.err) == (1, True)


def test_on_site(hooks):
    with FakeSuperOffice("11.13", is_on_site=True, tenant="Default") as on_site:
        hooks(CONNECTIONS={"Default": on_site.connection()}, WEBHOOKS={})
        run = connect()
    assert run.code == 0, run.text
    assert "SuperOffice 11.13" in run.out
