"""Prints what is in CI_SECONDS above pytest's last line: ``.ci/run`` loads it as a plugin."""

import os

import pytest


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("seconds of each part")
    terminalreporter.write(os.environ["CI_SECONDS"])
