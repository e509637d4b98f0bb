"""How many functions a reader meets who follows a delivery from the POST to its receiver."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_a_delivery_makes_few_calls_into_the_package_before_its_receiver_has_run():
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.hops"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout + told.stderr
