"""Processes whose clocks differ by ten minutes: no event waits for that, and none is taken away."""

import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import IS_POSTGRES

pytestmark = [
    pytest.mark.hard,
    pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed."),
    pytest.mark.skipif(not IS_POSTGRES, reason="Clocks are tried once, on PostgreSQL."),
]

EVENTS = 60


def clock(offset: str) -> dict[str, str]:
    """The environment of a process whose clock is ahead or behind by so much."""
    command = ["faketime", "-m", "-f", offset, "printenv", "LD_PRELOAD"]
    library = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    # Servers compare the times of files with the monotonic clock.
    real = ("FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC", "NO_FAKE_STAT")
    sleeps = str(Path(__file__).parent / "wrong_clock")
    return {
        "LD_PRELOAD": library,
        "FAKETIME": offset,
        "PYTHONPATH": sleeps,
        **dict.fromkeys(real, "1"),
    }


@pytest.mark.parametrize(("mode", "offset"), [("in_process", "-10m"), ("worker", "+10m")])
def test_a_clock_that_is_ten_minutes_wrong_delays_and_repeats_nothing(
    mode, offset, database_url, rig_on
):
    rig = rig_on(database_url, clock(offset), DISPATCH=mode)
    rig.serve()
    # Beside those of the mode, one that has the right time.
    rig.watch(environment={"LD_PRELOAD": ""})
    rig.load.start()
    rig.until(EVENTS)
    rig.judge(f"Clocks {offset} apart, {mode}")
