"""docs/api.md names all there is, and its examples run against a live server."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from superoffice_hooks import signals
from superoffice_hooks.api import throttling, urls
from superoffice_hooks.api.filters import EventFilterSet, RejectionFilterSet
from superoffice_hooks.api.schema import examples
from superoffice_hooks.api.serializers.criteria import CriteriaSerializer
from superoffice_hooks.api.serializers.replays import EventReplaySerializer, NewReplaySerializer
from superoffice_hooks.models import Event, FailureGroup, Rejection, Replay
from superoffice_hooks.reports.standing import dispatching_problems

from ..conftest import documented
from ..openapi import schema
from ..test_docs import PAGES, section
from .conftest import VIEW

PAGE = PAGES["docs/api.md"]
HOST = "https://crm.example.com"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def named(head: str) -> set[str]:
    """The code in the first column of the table with this head."""
    table = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0]
    return {
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }


class TestEverythingIsNamed:
    def test_urls(self):
        served = {
            re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern)).replace("{pk}", "{id}"): (
                f"{urls.app_name}:{pattern.name}"
            )
            for pattern in urls.urlpatterns
        }
        told = section(PAGES["docs/reference.md"], "REST API")
        assert dict(re.findall(r"^\| `\w+ (.*?)`.* \| `(.*?)` \|", told, re.MULTILINE)) == served
        for path in served:
            assert path.partition("{tenant}")[0] in PAGE

    def test_filters(self):
        assert named("Parameter") | {"ordering"} == set(EventFilterSet.base_filters)
        for name in RejectionFilterSet.base_filters:
            assert f"`{name}`" in section(PAGE, "Statistics, rejections, status")

    def test_what_a_replay_is_asked_for_with(self):
        assert named("Key") == set(NewReplaySerializer().fields)
        alone = re.findall(r"A single event takes (.*?)\.", PAGE)[0]
        assert set(re.findall(r"`(\w+)`", alone)) == set(EventReplaySerializer().fields)

    def test_criteria(self):
        assert named("Criterion") == set(CriteriaSerializer().fields)

    def test_statuses(self):
        answered = {
            status
            for operations in schema()["paths"].values()
            for operation in operations.values()
            for status in operation["responses"]
        }
        told = re.findall(r"^\| (\d{3})(?:, (\d{3}))? \|", section(PAGE, "Mistakes"), re.MULTILINE)
        assert {status for row in told for status in row if status} - {"405"} == answered - {
            "200",
            "201",
        }

    def test_the_throttle_scope(self):
        assert f"`{throttling.SCOPE}`" in PAGE

    @pytest.mark.django_db
    def test_permissions(self):
        told = set(re.findall(r"`superoffice_hooks\.(\w+)`", section(PAGE, "Who may")))
        assert told == {"replay_event", "triage_failuregroup", "manage_webhooks", *VIEW}
        assert Permission.objects.filter(codename__in=told).count() == len(told)

    def test_the_problem_is_the_one_that_is_answered(self):
        [shown] = blocks("json")
        assert json.loads(shown) == examples()["Problem"]["400"]


@pytest.mark.django_db(transaction=True)
class TestExamples:
    @pytest.fixture(autouse=True)
    def stored(self, one_attempt, post, connect):
        """An event that failed and will not fail again, a rejection, a replay under way."""

        def escalate(replay, **kwargs):
            if not replay:
                raise RuntimeError("the mail server is away")

        connect(signals.ticket_changed, escalate)
        post(documented("ticket-events-02-ticket.changed"))
        post(documented("seed-ticket.created"), secret=None)
        Replay.objects.create(who="rita", reason="under way", planned=5, up_to=5)
        User.objects.create_superuser("ada", password="an example")

    def here(self, code: str, url: str) -> str:
        """The example, for this server and these rows."""
        for name, model in (
            ("events", Event),
            ("failure-groups", FailureGroup),
            ("rejections", Rejection),
            ("replays", Replay),
        ):
            pk = str(model._default_manager.latest("pk").pk)
            code = re.sub(rf"/{name}/\d+/", f"/{name}/{pk}/", code)
        return code.replace(HOST, url)

    @pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed, as it is in CI")
    @pytest.mark.parametrize(
        "line",
        dict.fromkeys(re.findall(r"^curl .*$", PAGE + PAGES["README.md"], re.MULTILINE)),
    )
    @pytest.mark.slow
    def test_curl(self, line, live_server):
        command = self.here(line, live_server.url) + " --silent --show-error --fail-with-body"
        result = subprocess.run(
            ["bash", "-c", command],
            env={**os.environ, "API_USER": "ada:an example"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        assert result.stdout.startswith("{")

    def test_python(self, live_server, capsys):
        requested = [code for code in blocks("python") if "import requests" in code]
        assert len(requested) == 3
        # No dispatcher keeps a row in tests.
        (problem,) = dispatching_problems()
        for code in requested:
            names: dict[str, Any] = {"user": "ada", "password": "an example"}
            exec(self.here(code, live_server.url), names)  # noqa: S102  (our own example)
        assert capsys.readouterr().out.splitlines() == [
            "ticket.changed 76 failed",
            f"1 events failed. {problem}",
            "1 events of 1 records",
            "1 succeeded, 0 failed",
        ]
