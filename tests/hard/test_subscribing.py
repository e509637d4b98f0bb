"""superoffice_subscribe --apply is killed at each of its steps: one webhook, never two."""

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest
from django.db import connection

from ..conftest import URL
from ..wanting import wanting

if not find_spec("httpx"):
    pytest.skip("needs the extra superoffice", allow_module_level=True)

from superoffice_hooks.models import Watch
from superoffice_hooks.testing import FakeSuperOffice

pytestmark = [pytest.mark.hard, pytest.mark.django_db(transaction=True)]

PROGRAM = """
import json, os, signal, sys
import django
from django.conf import settings
from django.test.utils import override_settings

django.setup()
name, hooks, kill_at, when = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
from django.db import connection
connection.settings_dict["NAME"] = name

from superoffice_hooks.models import watch
from superoffice_hooks.superoffice_api import sending
watch.SAVE_SECONDS = 1
steps = iter(range(1000))

def dying(act, *arguments, **options):
    is_last = next(steps) == kill_at
    if is_last and when.startswith("before"):
        os.kill(os.getpid(), signal.SIGKILL)
    result = act(*arguments, **options)
    if is_last:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

def execute(act, sql, *arguments):
    writes = sql.startswith(("INSERT", "UPDATE", "DELETE"))
    return dying(act, sql, *arguments) if writes else act(sql, *arguments)

send = sending.Sender.send
if when.endswith("request"):
    sending.Sender.send = lambda *arguments, **options: dying(send, *arguments, **options)
else:
    connection.execute_wrappers.append(execute)
from django.core.management import call_command
with override_settings(SUPEROFFICE_HOOKS=hooks):
    call_command("superoffice_subscribe", *sys.argv[5:], "--apply")
"""


def apply(
    hooks: dict[str, Any], kill_at: int, when: str = "before a request", *options: str
) -> subprocess.CompletedProcess[str]:
    name = str(connection.settings_dict["NAME"])
    arguments = [name, json.dumps(hooks), str(kill_at), when, *options]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("when", "least"),
    [("before a request", 8), ("after a request", 8), ("before a write", 4), ("after a write", 4)],
)
def test_killed_at_every_step_it_leaves_one_webhook(live_server, settings, when, least):
    killed = 0
    for kill_at in range(40):
        with FakeSuperOffice() as superoffice:
            hooks = wanting(superoffice, live_server.url + URL)
            first = apply(hooks, kill_at, when)
            assert len(superoffice.entries()) <= 1
            if first.returncode == 0:
                break
            assert first.returncode == -signal.SIGKILL, first.stderr
            killed += 1
            second = apply(hooks, 1000)
            assert second.returncode == 0, second.stderr
            assert_it_is_known(superoffice)
            Watch.objects.all().delete()
    assert killed >= least


def assert_it_is_known(superoffice: FakeSuperOffice) -> None:
    """There is one webhook, and what is noted of it is true."""
    (entry,) = superoffice.entries()
    assert not Watch.objects.filter(state="saving").exists()
    watch = Watch.objects.latest("pk")
    assert (watch.webhook, watch.state, watch.differences) == (entry.id, "Active", [])


DRIFT: dict[str, dict[str, Any]] = {
    "another address": {"TargetUrl": "https://elsewhere.example.com/"},
    "another name": {"Name": "Somebody's"},
}


@pytest.mark.parametrize("drift", DRIFT)
@pytest.mark.parametrize("when", ["before a request", "after a request", "after a write"])
def test_killed_while_it_puts_a_webhook_right_it_leaves_one(live_server, settings, when, drift):
    killed = 0
    with FakeSuperOffice() as superoffice:
        hooks = wanting(superoffice, live_server.url + URL)
        assert apply(hooks, 1000).returncode == 0
        (entry,) = superoffice.entries()
        for kill_at in range(40):
            entry.values.update(DRIFT[drift])
            entry.hook.url = entry.values["TargetUrl"]
            first = apply(hooks, kill_at, when)
            if first.returncode == 0:
                break
            assert first.returncode == -signal.SIGKILL, first.stderr
            killed += 1
            second = apply(hooks, 1000)
            assert second.returncode == 0, second.stderr
            assert_it_is_known(superoffice)
            assert entry.values["Name"] == "Desk"
            assert entry.values["TargetUrl"] == live_server.url + URL
    assert killed >= 1
