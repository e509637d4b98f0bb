"""What every process pays as it starts: of ours, django.setup() imports little but the models."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STARTS = """
import json, os, sys
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()
from django.contrib import admin
from django.db import connections
from superoffice_hooks.models import Event
print(json.dumps({
    "modules": list(sys.modules),
    "connected": [c.alias for c in connections.all() if c.connection is not None],
    "has_admin": admin.site.is_registered(Event),
}))
"""

LATER = {
    "superoffice_hooks.admin.events": "pages are for whoever looks at them",
    "superoffice_hooks.admin.rejections": "likewise",
    "superoffice_hooks.admin.replays": "likewise",
    "superoffice_hooks.checks.receivers": "servers and workers start without their checks",
    "superoffice_hooks.checks.secrets": "likewise",
    "superoffice_hooks.checks.values": "likewise",
    "superoffice_hooks.dictionary": "fields are described once there are events",
    "superoffice_hooks.dispatching": "a process may dispatch nothing",
    "superoffice_hooks.notification": "deliveries are read by whoever gets them",
    "superoffice_hooks.receiving": "likewise",
    "superoffice_hooks.signals": "receivers are the project's, which imports what they connect to",
    "superoffice_hooks.spool": "it opens when a database is away",
    "tqdm": "bars are for commands on a terminal",
}


@pytest.fixture(scope="module")
def started():
    root = Path(__file__).parent.parent
    printed = subprocess.run(
        [sys.executable, "-c", STARTS], cwd=root, stdout=subprocess.PIPE, check=True
    ).stdout
    return json.loads(printed)


@pytest.mark.parametrize("module", LATER)
def test_starting_imports_what_a_process_needs_and_this_only_later(started, module):
    assert find_spec(module)
    assert module not in started["modules"]


def test_starting_asks_the_database_nothing(started):
    assert started["connected"] == []


def test_starting_registers_the_models_and_their_admin(started):
    assert "superoffice_hooks.models.event" in started["modules"]
    assert started["has_admin"]
