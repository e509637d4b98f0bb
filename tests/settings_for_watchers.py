"""The test project's settings, on the test database itself, for processes the tests start."""

import os

from .settings import *  # noqa: F403
from .settings import DATABASES, SUPEROFFICE_HOOKS

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE_NAME"]
SUPEROFFICE_HOOKS = {**SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
if spool_dir := os.environ.get("TEST_SPOOL_DIR"):
    SUPEROFFICE_HOOKS["SPOOL_DIR"] = spool_dir
