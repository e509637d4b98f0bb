"""Tools that others point at docs/openapi.yaml: a linter, and a generator of clients."""

import base64
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User

from superoffice_hooks import signals
from superoffice_hooks.models import Event, Replay

from ..conftest import documented
from ..openapi import PATH
from .conftest import raises

pytestmark = pytest.mark.slow

LINTER = os.environ.get("TEST_REDOCLY", "")
# URLs of Django projects end with a slash.
LEFT_OUT = "--skip-rule=no-path-trailing-slash"
NAME = "generated_superoffice_client"


@pytest.mark.skipif(not LINTER, reason="TEST_REDOCLY names no redocly.")
def test_redocly_recommends_nothing_else():
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    command = [LINTER, "lint", "--extends=recommended", LEFT_OUT, "--format=json", str(PATH)]
    ended = subprocess.run(
        command, env={**os.environ, **quiet}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["problems"] == []


@pytest.fixture
def generated(tmp_path, monkeypatch) -> ModuleType:
    """A client that was made from the schema alone, without a warning."""
    config = tmp_path / "config.yaml"
    config.write_text("post_hooks: []\n", encoding="utf-8")
    command = [
        *(str(Path(sys.executable).with_name("openapi-python-client")), "generate"),
        *("--path", str(PATH), "--output-path", str(tmp_path / NAME), "--meta", "none"),
        *("--config", str(config), "--fail-on-warning"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module(NAME)


@pytest.fixture
def call(generated, live_server):
    """``call("events.events_list", search="…")``: what the operation answers, as its classes."""
    User.objects.create_superuser("ada", password="generated")
    credentials = base64.b64encode(b"ada:generated").decode()
    headers = {"Authorization": f"Basic {credentials}"}

    def ask(operation: str, *arguments: Any, **values: Any) -> Any:
        module = importlib.import_module(f"{NAME}.api.{operation}")
        with generated.Client(base_url=live_server.url, headers=headers) as client:
            return module.sync(*arguments, client=client, **values)

    return ask


@pytest.mark.django_db(transaction=True)
def test_a_generated_client_finds_what_failed_and_replays_it(
    call, post, connect, one_attempt, generated
):
    works: list[str] = []
    wrong = [True]

    def escalate(event, **kwargs):
        if wrong:
            raises()
        works.append(event.name)

    connect(signals.ticket_changed, escalate)
    post(documented("seed-ticket.changed"))
    models = importlib.import_module(f"{NAME}.models")

    failed = models.EventsListStatus.FAILED
    page = call("events.events_list", status=failed, page_size=5)
    [row] = page.results
    assert (row.id, row.event) == (Event.objects.get().pk, "ticket.changed")
    detail = call("events.events_retrieve", row.id)
    assert [run.outcome for run in detail.runs] == ["failed"]
    [group] = call("failure_groups.failure_groups_list").results
    assert "no <b>such</b> ticket" in group.error

    wrong.clear()
    wanted = {"reason": "It is mended", "criteria": {"status": "failed"}}
    body = models.SuperOfficeNewReplay.from_dict(wanted)
    replay = call("replays.replays_create", body=body)
    assert (replay.planned, replay.done, works) == (1, 1, ["ticket.changed"])
    assert call("replays.replays_retrieve", replay.id).reason == "It is mended"
    assert Replay.objects.get().pk == replay.id
    assert call("status.status_retrieve").dispatching is not None


@pytest.mark.django_db(transaction=True)
def test_a_generated_client_reads_what_is_wrong(call, generated):
    problem = call("events.events_retrieve", 1)
    models = importlib.import_module(f"{NAME}.models")
    assert isinstance(problem, models.SuperOfficeProblem)
    assert (problem.status, problem.title) == (404, "Not Found")
