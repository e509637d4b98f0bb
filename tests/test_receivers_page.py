"""The page on receivers: each of its examples is called as it says."""

import dataclasses
import re
import unittest
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from superoffice_hooks import signals
from superoffice_hooks.receivers import Options
from superoffice_hooks.testing import deliver, dispatch_due

PAGE = (Path(__file__).parent.parent / "docs" / "receivers.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS: list[tuple[str, str]] = BLOCK.findall(PAGE)
CODE = [code for language, code in BLOCKS if language == "python"]
(BURST,) = (code for code in CODE if code.startswith("deliver("))
PRINTS = [
    (code, printed)
    for (language, code), (following, printed) in pairwise(BLOCKS)
    if (language, following) == ("python", "text")
]


@pytest.fixture(autouse=True)
def _leave():
    """Disconnect what an example connects."""
    yield
    for receiver in list(signals.connected()):
        receiver.signal.disconnect(receiver.function)


def run(code: str, **given: Any) -> dict[str, Any]:
    """The names that an example defines."""
    names: dict[str, Any] = {"__name__": __name__, **given}
    exec(compile(code, "example", "exec"), names)  # noqa: S102  (our own example)
    return names


def burst(hooks: dict[str, Any]) -> None:
    """Deliver the events of the page, and let an hour pass for each attempt."""
    client = Client()
    with override_settings(SUPEROFFICE_HOOKS=settings.SUPEROFFICE_HOOKS | hooks):
        run(BURST, deliver=partial(deliver, raises=False), client=client)
        for _ in range(6):
            dispatch_due(later=timedelta(hours=1), raises=False)


@pytest.mark.parametrize(("code", "printed"), PRINTS)
@pytest.mark.django_db
def test_it_prints_what_the_page_says(code, printed, capsys):
    # The names hold the receivers, which signals hold weakly.
    names = run(code)
    burst(names.get("SUPEROFFICE_HOOKS", {}))
    assert capsys.readouterr().out == printed
    assert {receiver.path.partition(".")[0] for receiver in signals.connected()} == {"tests"}


@pytest.mark.django_db
def test_the_example_without_a_transaction_sends_the_event_id(capsys):
    (code,) = (code for code in CODE if "atomic=False" in code)
    _names = run(code)
    event = deliver(Client(), "ticket.created")
    assert capsys.readouterr().out == f"POST /messages, Idempotency-Key: {event.event_id}\n"


@pytest.mark.django_db
def test_the_example_of_a_test_passes(connect):
    def copy(events, **kwargs):
        assert len(events) == 2

    connect(signals.ticket_changed, copy, settle=30)
    (code,) = (code for code in CODE if "CopyTest" in code)
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(run(code)["CopyTest"])
    outcome = unittest.TestResult()
    tests.run(outcome)
    assert outcome.testsRun == 1
    assert [error for _, error in outcome.errors + outcome.failures] == []


def test_every_option_has_an_example_that_runs():
    shown = "".join(CODE)
    assert [
        field.name for field in dataclasses.fields(Options) if f" {field.name}=" not in shown
    ] == []


def test_every_example_prints_or_has_a_test_of_its_own():
    tested = ("any_event, on", "deliver(client", "atomic=False", "CopyTest")
    printing = [code for code, _ in PRINTS]
    assert [c for c in CODE if c not in printing and not any(t in c for t in tested)] == []
