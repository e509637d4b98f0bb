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
name, hooks, kill_at, answered = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
from django.db import connections
connections["default"].settings_dict["NAME"] = name

from superoffice_hooks.models import watch
from superoffice_hooks.superoffice_api import sending
watch.SAVE_SECONDS = 3
send, calls = sending.Sender.send, iter(range(1000))

def dies(self, *arguments, **options):
    is_last = next(calls) == kill_at
    if is_last and answered == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = send(self, *arguments, **options)
    if is_last:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

sending.Sender.send = dies
from django.core.management import call_command
with override_settings(SUPEROFFICE_HOOKS=hooks):
    call_command("superoffice_subscribe", "--apply")
"""


def apply(
    hooks: dict[str, Any], kill_at: int, answered: str = "before"
) -> subprocess.CompletedProcess[str]:
    name = str(connection.settings_dict["NAME"])
    arguments = [name, json.dumps(hooks), str(kill_at), answered]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("answered", ["before", "after"])
def test_killed_at_every_request_it_leaves_one_webhook(live_server, settings, answered):
    killed = 0
    for kill_at in range(40):
        with FakeSuperOffice() as superoffice:
            hooks = wanting(superoffice, live_server.url + URL)
            first = apply(hooks, kill_at, answered)
            assert len(superoffice.entries()) <= 1
            if first.returncode == 0:
                break
            assert first.returncode == -signal.SIGKILL, first.stderr
            killed += 1
            second = apply(hooks, 1000)
            assert second.returncode == 0, second.stderr
            assert len(superoffice.entries()) == 1
            assert not Watch.objects.filter(state="saving").exists()
            Watch.objects.all().delete()
    assert killed > 8
