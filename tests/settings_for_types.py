"""What mypy's Django plugin reads: the test project, and other projects' models beside it."""

from .settings import *  # noqa: F403
from .settings import INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "example_project.desk",
    "tests.hard.arrivals",
    "benchmarks.contenders",
]
