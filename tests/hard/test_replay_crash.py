"""A receiver that kills its process in each replay ends neither the replay nor its neighbours."""

from collections import Counter

import pytest

from ..databases import connected
from .conftest import IS_POSTGRES
from .processes import wait_until

pytestmark = pytest.mark.hard

BEFORE, AFTER = (70, 70) if IS_POSTGRES else (7, 7)
FINISH = "UPDATE superoffice_hooks_event SET status = 'succeeded', next_attempt_at = NULL"


@pytest.mark.parametrize("most", [1, 3] if IS_POSTGRES else [3])
def test_a_replay_moves_on_after_a_receiver_has_killed_its_process_often_enough(
    most, database_url, rig_on
):
    rig = rig_on(database_url, DISPATCH="worker", LEASE_SECONDS=1, MAX_ATTEMPTS=most)
    for count, name in ((BEFORE, "ticket.changed"), (1, "hard.kills"), (AFTER, "ticket.changed")):
        rig.project.run("tests.hard.fill", str(count), name)
    with connected(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(FINISH)
    command = rig.project.start("django", "superoffice_replay", "--all")
    rig.watch()
    rig.watch()
    wait_until(lambda: command.poll() is not None, "the command to be killed")
    seconds = rig.recover()
    rig.stop()
    report = rig.project.report()
    (replay,) = report["replays"]
    deaths = sum(code == -9 for dispatcher in rig.dispatchers for code in dispatcher.exits) + 1
    rig.say(f"MAX_ATTEMPTS {most}: {deaths} processes died, finished after {seconds:.0f} s")
    assert (replay["done"], replay["failed"], replay["busy"]) == (BEFORE + AFTER, 1, 0)
    assert report["statuses"] == {"succeeded": BEFORE + 1 + AFTER}
    outcomes = Counter((who, outcome) for _, who, _, outcome in report["runs"])
    assert outcomes == {
        ("arrive", "succeeded"): BEFORE + AFTER,
        ("follow", "succeeded"): BEFORE + AFTER,
        ("kill_the_process", "gave_up"): 1,
    }
    assert Counter(who for _, who, _, _ in report["arrivals"]) == {
        "arrive": BEFORE + AFTER,
        "follow": BEFORE + AFTER,
        "failure_group_opened": 1,
    }
    # The others as it was one of several events: each time there are half as many before it.
    assert most <= deaths <= most + 8
