"""Processes that meet a new kind of failure at once: one opens the group, and says so."""

import pytest

from .processes import wait_until

pytestmark = pytest.mark.hard

KINDS = 10


def test_two_processes_that_meet_a_new_cause_open_one_group_and_announce_it_once(
    database_url, project_on, tmp_path
):
    project = project_on(
        database_url, {"HARD_MEETING": str(tmp_path)}, DISPATCH="worker", LANES=1, MAX_ATTEMPTS=1
    )
    project.run("tests.hard.fill", str(2 * KINDS), "hard.fails")
    processes = [project.dispatch("--batch=1") for _ in range(2)]
    wait_until(
        lambda: all(process.poll() is not None for process in processes), "2 dispatchers to end"
    )
    assert [process.returncode for process in processes] == [0, 0]
    # Most kinds came up in both processes at the same time.
    assert sum(len(list(place.iterdir())) == 2 for place in tmp_path.glob("[0-9]*/")) > KINDS / 2
    assert project.ask("SELECT count(*) FROM superoffice_hooks_failuregroup") == KINDS
    announced = "FROM arrivals_arrival WHERE receiver = 'failure_group_opened'"
    assert project.ask(f"SELECT count(*) {announced}") == KINDS
    counting = "FROM superoffice_hooks_receiverrun WHERE counts_in_group AND group_id IS NOT NULL"
    assert project.ask(f"SELECT count(*) {counting}") == 2 * KINDS
