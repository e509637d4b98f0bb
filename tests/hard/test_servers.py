"""Each web server dispatches in its own processes, and may be ended, killed and frozen.

Also behind the door, whose requests start the loop as others do.
"""

import signal

import pytest

from .conftest import IS_POSTGRES
from .servers import SERVERS

pytestmark = [
    pytest.mark.hard,
    pytest.mark.skipif(not IS_POSTGRES, reason="Servers are tried on one database."),
]

EVENTS = 60
WITH_A_DOOR = ("gunicorn gthread", "uvicorn", "daphne")


@pytest.mark.parametrize(
    ("server", "is_open"),
    [*((server, "") for server in SERVERS), *((server, "door") for server in WITH_A_DOOR)],
)
def test_a_server_that_is_ended_killed_and_frozen_loses_nothing(
    server, is_open, database_url, rig_on
):
    rig = rig_on(database_url, {"HARD_DOOR": is_open})
    rig.serve(server)
    for number, blow in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP), 1):
        if number == 1:
            rig.load.start()
        rig.until(EVENTS * number // 3)
        rig.strike(blow)
    rig.until(EVENTS)
    rig.judge(server)
