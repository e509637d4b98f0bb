"""The API in a browser: pages of REST framework's own, in the test project and in the example's."""

import json
import subprocess
import sys
from typing import Any

import pytest
from django.test import Client, modify_settings

from superoffice_hooks.models import Replay

from ..test_example_project import PROJECT, environment
from .asking import TOKEN, WHY, started
from .conftest import API

pytestmark = pytest.mark.django_db

HTML = {"Accept": "text/html"}


@pytest.fixture
def paths(event, post, superuser) -> list[str]:
    """A page of each kind."""
    stored = event()
    post(b"unsigned", secret=None)
    [rejection] = superuser.rows("rejections/")
    replay = started(superuser)
    return [
        "events/",
        f"events/{stored.pk}/",
        "records/Default/ticket/527331/",
        "fields/",
        "rejections/",
        f"rejections/{rejection['id']}/",
        "replays/",
        f"replays/{replay['id']}/",
        "status/",
    ]


def looked_at(client: Client, path: str) -> Any:
    return client.get(API + path, headers=HTML)


def test_every_resource_has_a_page(paths, superuser):
    for path in paths:
        page = looked_at(superuser.client, path)
        assert page.status_code == 200, path
        assert page["Content-Type"].startswith("text/html")
        assert "Django REST framework" in page.content.decode()


def test_scripts_need_no_app_of_rest_framework(paths, superuser):
    apps = ["rest_framework", "django_filters", "drf_spectacular"]
    with modify_settings(INSTALLED_APPS={"remove": apps}):
        for path in paths:
            superuser.read(path)


def test_every_resource_tells_its_options(paths, superuser):
    for path in paths:
        answer = superuser.client.options(API + path)
        assert answer.status_code == 200
        assert "application/json" in answer.json()["renders"]


def test_a_page_says_what_is_wrong(paths, superuser):
    page = looked_at(superuser.client, "events/?status=lost")
    assert page.status_code == 400
    assert "Expected one of pending" in page.content.decode()


def test_who_may_replay_has_a_form_that_begins_with_a_dry_run(paths, superuser, viewer):
    page = looked_at(superuser.client, "replays/").content.decode()
    assert "&quot;dry_run&quot;: true" in page
    assert 'name="_content"' in page
    # What would be sent by a form is not what JSON says.
    assert 'name="reason"' not in page
    assert 'name="_content"' not in looked_at(viewer.client, "replays/").content.decode()


@pytest.mark.parametrize("path", ["replays/", "events/{}/replay/"])
def test_what_the_form_sends_is_answered_with_a_page(event, superuser, path):
    url = API + path.format(event().pk)
    superuser.client.cookies["csrftoken"] = TOKEN
    for asked, status in (({**WHY, "all": True}, (201, 400)), (WHY, (200, 400)), ({}, (400,))):
        page = superuser.client.post(
            url,
            json.dumps(asked),
            content_type="application/json",
            headers={**HTML, "X-CSRFToken": TOKEN},
        )
        assert page.status_code in status
        assert page["Content-Type"].startswith("text/html")
    assert Replay.objects.count() == 1


OPEN_THE_EXAMPLE = """
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
User.objects.create_superuser("ada", password="an example")
browser = Client(enforce_csrf_checks=True, SERVER_NAME="localhost", HTTP_ACCEPT="text/html")
page = browser.get("/api/superoffice/events/")
print(page.status_code, "/api/login/login/?next=/api/superoffice/events/" in page.text)
form = browser.get("/api/login/login/?next=/api/superoffice/events/")
token = browser.cookies["csrftoken"].value
answer = browser.post("/api/login/login/", {
    "username": "ada", "password": "an example", "csrfmiddlewaretoken": token,
    "next": "/api/superoffice/events/",
})
print(answer.status_code, answer.url)
page = browser.get(answer.url)
print(page.status_code, "ada" in page.text, page["Content-Type"])
schema = browser.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
print(schema.status_code, schema.json()["openapi"], "/api/superoffice/replays/" in schema.text)
print(Client(SERVER_NAME="localhost").get("/api/schema/").status_code)
"""


@pytest.mark.slow
def test_the_example_project_is_logged_in_to_and_looked_at(tmp_path):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", OPEN_THE_EXAMPLE],
        env=environment(DJANGO_DATABASE=tmp_path / "example.sqlite3"),
        cwd=PROJECT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "403 True",
        "302 /api/superoffice/events/",
        "200 True text/html; charset=utf-8",
        "200 3.1.0 True",
        "403",
    ]
