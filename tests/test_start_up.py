"""What every process pays as it starts, and what the first delivery no longer has to wait for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STARTS = """
import json, sys
import django
django.setup()
from django.apps import apps
from django.contrib import admin
from django.db import connections
from superoffice_hooks.models import Event
started = {
    "modules": list(sys.modules),
    "connected": [c.alias for c in connections.all() if c.connection is not None],
    "has_admin": apps.is_installed("django.contrib.admin") and admin.site.is_registered(Event),
}
"""

DELIVERS = """
from importlib import import_module
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory
from superoffice_hooks.signals import ticket_changed
from superoffice_hooks.wire.samples import notification
from superoffice_hooks.wire.signature import sign

def receive(**kwargs):
    pass

ticket_changed.connect(receive)
application = get_wsgi_application()
import_module(settings.ROOT_URLCONF)
sent = json.dumps(notification("ticket.changed")).encode()
signature = sign(sent, settings.SUPEROFFICE_HOOKS["SECRETS"][0])
environ = RequestFactory(headers={"X-SuperOffice-Signature": signature})._base_environ(
    PATH_INFO="/superoffice/webhook/",
    REQUEST_METHOD="POST",
    CONTENT_TYPE="application/json",
    CONTENT_LENGTH=str(len(sent)),
    HTTP_X_SUPEROFFICE_SIGNATURE=signature,
    SERVER_NAME="localhost",
)
import io
environ["wsgi.input"] = io.BytesIO(sent)
from superoffice_hooks import dispatcher
before = set(sys.modules)
application(environ, lambda status, headers: started.update(status=status)).close()
assert dispatcher.wait_until_idle(30)
started["first"] = [name for name in set(sys.modules) - before]
started["events"] = list(Event.objects.values_list("status", flat=True))
"""

PRINTS = "print(json.dumps(started))"

# The admin's pages import what they show and do.
WITHOUT_ADMIN = """
from django.conf import settings
settings.INSTALLED_APPS.remove("django.contrib.admin")
"""

LATER = {
    "superoffice_hooks.views": "a process may serve no requests",
    "tqdm": "bars are for commands on a terminal",
}


def run(*command: str, url: str = "sqlite:///unused.sqlite3") -> bytes:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": url,
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=Path(__file__).parent.parent,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def started():
    return json.loads(run("-c", STARTS + PRINTS))


@pytest.fixture(scope="module")
def started_without_admin():
    return json.loads(run("-c", WITHOUT_ADMIN + STARTS + PRINTS))


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('started')}/first.sqlite3"
    run("-m", "django", "migrate", "--verbosity=0", url=url)
    return json.loads(run("-c", STARTS + DELIVERS + PRINTS, url=url))


@pytest.mark.parametrize("module", LATER)
def test_starting_imports_what_a_process_needs_and_this_only_later(started_without_admin, module):
    assert module not in started_without_admin["modules"]


def test_starting_asks_the_database_nothing(started):
    assert started["connected"] == []


def test_starting_imports_no_client_of_superoffices_api(started):
    assert not {"httpx", "jwt", "cryptography"} & {*started["modules"]}
    assert "superoffice_hooks.subscribing.actions" not in started["modules"]


def test_starting_imports_nothing_that_is_for_tests(started):
    assert not {"django.test", "superoffice_hooks.testing"} & {*started["modules"]}


def test_starting_registers_the_models_the_checks_and_their_admin(started):
    assert "superoffice_hooks.models.event" in started["modules"]
    assert "superoffice_hooks.checks" in started["modules"]
    assert started["has_admin"]


def test_the_first_delivery_imports_nothing_more(delivered):
    assert delivered["status"].startswith("200")
    assert delivered["events"] == ["succeeded"]
    ours = {"superoffice_hooks", *sys.stdlib_module_names}
    assert [name for name in delivered["first"] if name.partition(".")[0] in ours] == []
