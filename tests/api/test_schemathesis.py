"""Everything that the schema allows, and much that it does not, is asked of a live server.

schemathesis judges the answers: no error of ours, no status and no media type that the schema does
not describe, and every body as described. It runs as a process of its own, as anybody would run it.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from superoffice_hooks import signals
from superoffice_hooks.models import Event, FailureGroup, Rejection, Replay
from superoffice_hooks.testing import FakeSuperOffice

from ..conftest import PAYLOADS, documented
from ..openapi import schema
from ..wanting import played, wanting
from .asking import ask, started
from .conftest import raises

pytestmark = [
    pytest.mark.slow,
    pytest.mark.early,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        connection.vendor != "postgresql",
        reason="takes minutes, and PostgreSQL is the strictest about values",
    ),
]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
EXAMPLES = 15
"""So many requests of each operation, besides those that cover every boundary."""


@pytest.fixture
def superoffice(settings, monkeypatch) -> Iterator[FakeSuperOffice]:
    """A SuperOffice, where a webhook is wanted that is not there yet."""
    with played(monkeypatch) as fake:
        settings.SUPEROFFICE_HOOKS = {
            **settings.SUPEROFFICE_HOOKS,
            **wanting(fake, "http://127.0.0.1:9/superoffice/webhook/"),
        }
        yield fake


@pytest.fixture
def stored(post, connect, superuser, superoffice) -> None:
    """Every documented body, delivered, a few again; failures, rejections, replays, a webhook."""
    connect(signals.any_event, lambda **kwargs: None)
    connect(signals.sale_sold, raises)
    for path in sorted(PAYLOADS.glob("*.json")):
        post(path.read_bytes())
    for _ in range(3):
        post(documented("seed-ticket.changed"))
    post(b"unsigned", secret=None)
    post(b"\xff is signed, and cannot be read")
    started(superuser, reason="all of them")
    ask(superuser, {"all": True, "dry_run": True})


def pointed(made: dict[str, Any]) -> dict[str, Any]:
    """The schema with values that find something, which chance would hardly hit upon.

    Others are tried all the same: schemathesis also sends what the schema does not allow.
    """
    for path, operations in made["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                about = (path.split("/")[3], parameter["name"])
                if found := known(*about):
                    parameter["schema"]["enum"] = found
    # Chance hardly hits upon the near future.
    until = (timezone.now() + timedelta(days=2)).isoformat()
    made["components"]["schemas"]["SuperOfficeMute"]["properties"]["until"]["enum"] = [until]
    connected = sorted({receiver.path for receiver in signals.connected()})
    for name in ("SuperOfficeNewReplay", "SuperOfficeEventReplay"):
        made["components"]["schemas"][name]["properties"]["receivers"]["items"]["enum"] = connected
    return made


def known(resource: str, parameter: str) -> list[Any]:
    """Values of a parameter that lead somewhere."""
    models = {
        "events": Event,
        "failure-groups": FailureGroup,
        "rejections": Rejection,
        "replays": Replay,
    }
    match resource, parameter:
        case (("events" | "failure-groups" | "rejections" | "replays"), "id"):
            return list(models[resource]._default_manager.values_list("pk", flat=True)[:5])
        case "records", ("tenant" | "entity" | "primary_key"):
            return [getattr(Event.objects.earliest("pk"), parameter)]
        case "webhooks", "endpoint":
            return ["default"]
        case "fields", "since":
            return [(timezone.now() - timedelta(days=2)).isoformat()]
        case "fields", "until":
            return [timezone.now().isoformat()]
    return []


def test_no_answer_surprises(stored, live_server, tmp_path):
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(pointed(schema())), encoding="utf-8")
    # An operation that found nothing would be no test.
    (tmp_path / "schemathesis.toml").write_text("[warnings]\nfail-on = true\n", encoding="utf-8")
    User.objects.create_superuser("schemathesis", password="of this test")
    command = [
        str(Path(sys.executable).with_name("st")),
        *("run", str(tmp_path / "schema.yaml")),
        *("--url", live_server.url, "--auth", "schemathesis:of this test"),
        *("--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES)),
        *("--phases", "examples,coverage,fuzzing", "--continue-on-failure"),
        *("--suppress-health-check", "all", "--no-color"),
        "--generation-deterministic",
    ]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
