"""What goes wrong at SuperOffice has a sentence, whichever command meets it, and no secret."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from superoffice_hooks.models import Watch
from superoffice_hooks.subscribing import clients
from superoffice_hooks.testing import FakeSuperOffice
from superoffice_hooks.testing.fake import Reply
from superoffice_hooks.testing.fake.login import as_pem

from ..conftest import SECRET
from .conftest import Run, subscribe

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("subscribed"),
    pytest.mark.words("fault", "command"),
]

COMMANDS = {
    ("superoffice_connect", "--check"): 1,
    ("superoffice_subscribe",): 2,
    ("superoffice_subscribe", "--apply"): 2,
    ("superoffice_watch",): 2,
}
"""The commands, and how they exit if nothing could be found out."""


@pytest.fixture
def subscribed(hooks):
    run = subscribe("--apply")
    assert run.code == 0, run.text


def another_key(superoffice: FakeSuperOffice) -> dict[str, str]:
    return {"private_key": as_pem(rsa.generate_private_key(65537, 2048))}


def no_key(superoffice: FakeSuperOffice) -> dict[str, str]:
    return {"private_key": "/nowhere"}


def revoked(superoffice: FakeSuperOffice) -> dict[str, str]:
    superoffice.login.is_revoked = True
    return {}


def slow_clock(superoffice: FakeSuperOffice) -> dict[str, str]:
    superoffice.login.clock = timedelta(minutes=30)
    return {}


def wrong_secret(superoffice: FakeSuperOffice) -> dict[str, str]:
    return {"client_secret": "one that was replaced"}


def suspended(superoffice: FakeSuperOffice) -> dict[str, str]:
    superoffice.login.state = "Suspended"
    return {}


def maintained(superoffice: FakeSuperOffice) -> dict[str, str]:
    superoffice.login.state = "OfflineMaintenance"
    return {}


def nobody(superoffice: FakeSuperOffice) -> dict[str, str]:
    return {"host": "http://127.0.0.1:1"}


def no_agent(superoffice: FakeSuperOffice) -> dict[str, str]:
    refusal = {"ErrorType": "SoSecurity", "ErrorMessage": f"No access {SECRET} 7T:abcdefgh=="}
    superoffice.fail("/v1/Webhook", times=99, reply=Reply(403, refusal))
    return {}


FAULTS: dict[str, tuple[Callable[[FakeSuperOffice], dict[str, str]], str]] = {
    "another key": (another_key, "private key"),
    "no key": (no_key, "private key cannot be read"),
    "revoked": (revoked, "was revoked"),
    "clock": (slow_clock, "Set the clock"),
    "client secret": (wrong_secret, "SuperOffice wrote: The application"),
    "suspended": (suspended, "suspended it"),
    "maintained": (maintained, "not running (OfflineMaintenance)"),
    "nobody answers": (nobody, "cannot be reached: no connection"),
    "no agent": (no_agent, "refused the call (403)"),
}


@pytest.mark.first("command")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_sentence_at_each_command(superoffice, hooks, caplog, fault, command):
    breaks, sentence = FAULTS[fault]
    before = Watch.objects.get()
    connection = superoffice.connection()
    broken = {**connection, **breaks(superoffice)}
    hooks(CONNECTIONS={superoffice.tenant: broken})
    # As in a process of its own.
    clients.forget()
    run = Run(*command)
    assert sentence in run.text
    assert run.code == COMMANDS[command] or (fault, run.code) == ("no agent", 1)
    shown = run.text + caplog.text
    for secret in (SECRET, "7T:", superoffice.login.client_secret, "PRIVATE KEY"):
        assert secret not in shown
    # No state is believed that was not read.
    known = Watch.objects.exclude(state="unknown").get()
    assert (known.pk, known.state) == (before.pk, "Active")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_tenant_that_moved_is_no_trouble(superoffice, command):
    superoffice.move()
    run = Run(*command)
    assert run.code == 0, run.text
