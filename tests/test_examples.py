"""The examples of the documentation that have no test of their own run as they stand."""

import os
import unittest
from typing import Any

import pytest
from django.core import checks
from django.test import override_settings
from django.urls import path

from superoffice_hooks import signals

from .test_docs import blocks, run

LONG = "a secret of sixteen characters or more"
ELSEWHERE = {
    "README.md": "tests/test_quick_start.py",
    "docs/api.md": "tests/api/test_docs.py",
    "docs/fields.md": "tests/test_docs.py",
    "docs/receivers.md": "tests/test_receivers_page.py",
    "docs/tutorial.md": "tests/test_quick_start.py",
}
PARTS = {
    "dispatch.py": "runs for ever; tests/contrib/test_prometheus.py starts it",
    "from superoffice_hooks.replay.running": "tests/test_docs.py",
    "call_command(": "tests/test_docs.py",
    "DeliveryTest": "tests/test_docs.py",
    "EscalationTest": "tests/test_docs.py",
    "SubscribingTest": "below",
}
EXAMPLES = [
    pytest.param(code, id=f"{page}-{n}")
    for n, (page, code) in enumerate(blocks("python"))
    if page not in ELSEWHERE and not any(part in code for part in PARTS)
]


@pytest.fixture
def written(monkeypatch) -> dict[str, Any]:
    """What stands above such lines in a project's settings and URLs."""
    for name in ("SUPEROFFICE_SECRET", "METRICS_TOKEN"):
        monkeypatch.setenv(name, LONG)
    for name in ("SUPEROFFICE_CLIENT_SECRET", "SUPEROFFICE_SYSTEM_USER_TOKEN"):
        monkeypatch.setenv(name, "x")
    return {
        "os": os,
        "path": path,
        "urlpatterns": [],
        "INSTALLED_APPS": [],
        "SUPEROFFICE_HOOKS": {"SECRETS": {"default": [LONG], "states": [LONG]}},
    }


OPTIONAL = {
    "health_check": "health_check",
    "prometheus": "prometheus_client",
    "httpx": "httpx",
    "CONNECTIONS": "httpx",
    "WEBHOOKS": "httpx",
}
"""What need not be installed, by a word of the examples that want it."""


@pytest.mark.words
@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs_and_its_settings_pass_the_checks(code, written):
    for word, module in OPTIONAL.items():
        if word in code:
            pytest.importorskip(module)
    # The webhook of which the second one hears.
    if '["WEBHOOKS"]["states"]' in code:
        written["SUPEROFFICE_HOOKS"]["WEBHOOKS"] = {}
    connected = set(signals.connected())
    try:
        names = run(code, **written)
    finally:
        for receiver in set(signals.connected()) - connected:
            receiver.signal.disconnect(receiver.function)
    if "WEBHOOKS" not in code or "CONNECTIONS" in code:
        with override_settings(SUPEROFFICE_HOOKS=names["SUPEROFFICE_HOOKS"]):
            found = checks.run_checks()
        assert [message for message in found if message.id.startswith("superoffice")] == []


@pytest.mark.slow  # at the pace of SuperOffice's API, as shipped
@pytest.mark.django_db(transaction=True)
def test_the_test_of_a_subscription_passes():
    pytest.importorskip("httpx")
    pytest.importorskip("jwt")
    [code] = [code for _, code in blocks("python") if "SubscribingTest" in code]
    tests = run(code)["SubscribingTest"]
    outcome = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(tests).run(outcome)
    assert outcome.testsRun == 1
    assert [error for _, error in outcome.errors + outcome.failures] == []
