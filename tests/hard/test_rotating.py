"""A new secret is put in use while SuperOffice delivers, and no delivery is refused."""

import json
import signal
import threading
import time
from importlib.util import find_spec
from typing import Any

import pytest

from ..wanting import wanting
from .conftest import once
from .processes import send, wait_until
from .servers import WebServer

if not find_spec("httpx"):
    pytest.skip("needs the extra superoffice", allow_module_level=True)

from superoffice_hooks.testing import Attempt, FakeSuperOffice

pytestmark = [pytest.mark.hard, once]

OLD, NEW = "the old secret of the hard tests", "the new secret of the hard tests"
SENDERS = 3
ENOUGH = 40
"""Deliveries before the next step."""


class Load:
    """SuperOffice delivers, from several threads, until it is stopped."""

    def __init__(self, superoffice: FakeSuperOffice) -> None:
        self.attempts: list[Attempt] = []
        self._superoffice = superoffice
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while not self._stopped.is_set():
            self.attempts += self._superoffice.send("ticket.changed")
            time.sleep(0.02)

    def go_on(self) -> None:
        """Wait until some more were delivered."""
        until = len(self.attempts) + ENOUGH
        wait_until(lambda: len(self.attempts) >= until, "more deliveries")

    @property
    def refused(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if not attempt.succeeded]


def test_a_new_secret_under_load_refuses_nothing(database_url, project_on, tmp_path, say):
    secrets = tmp_path / "secrets"
    secrets.write_text(OLD)
    project = project_on(database_url, {"HARD_SECRETS": str(secrets)})
    web = WebServer(project, "gunicorn gthread")
    with FakeSuperOffice() as superoffice:
        hooks: dict[str, Any] = {
            **project.hooks,
            **wanting(superoffice, web.url),
        }
        project.environment["HARD_HOOKS"] = json.dumps(hooks)
        project.run("django", "superoffice_subscribe", "--apply")
        (entry,) = superoffice.entries()
        assert entry.hook.secret == OLD

        def restart(*lines: str) -> None:
            """Give the web processes these secrets; those that run end what they have begun."""
            before = set(web.pids())
            secrets.write_text("\n".join(lines))
            send(web.master.pid, signal.SIGHUP)
            wait_until(lambda: web.pids() and not before & set(web.pids()), "new web processes")

        with Load(superoffice) as load:
            load.go_on()
            restart(NEW, OLD)
            load.go_on()
            said = project.run("django", "superoffice_subscribe", "default", "--apply", "--rotate")
            assert "3 tests that were signed with the new secret have arrived" in said
            assert entry.hook.secret == NEW
            load.go_on()
            restart(NEW)
            load.go_on()
    say(f"rotated under load: {len(load.attempts)} deliveries, {len(load.refused)} refused")
    assert load.refused == []
    assert project.ask("SELECT count(*) FROM superoffice_hooks_rejection") == 0
    assert project.ask("SELECT count(*) FROM superoffice_hooks_watch WHERE action = 'rotated'") == 1
