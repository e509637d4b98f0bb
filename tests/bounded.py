"""Processes that may not take for ever."""

import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

import psutil

GRACE_SECONDS = 60
"""So long pytest may take to end what its tests have started."""


class TooLong(Exception):
    """A process was ended, because its time was up."""


def run_bounded(
    command: list[str],
    environment: Mapping[str, str],
    seconds: float | None,
    grace: float = GRACE_SECONDS,
) -> int:
    """Run a command, and return its status.

    Raises:
        TooLong: after so many seconds; it was interrupted, and killed with all of its children if
            that did not end it.
    """
    process = subprocess.Popen(command, env=environment)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        raise TooLong from None
    except SystemExit:
        process.send_signal(signal.SIGINT)
        raise
    finally:
        # Ctrl-C reaches it without us.
        end(process, grace)


def end(process: subprocess.Popen[bytes], grace: float) -> None:
    """Wait for the end of a process that was interrupted, and kill what is left of it."""
    if process.poll() is not None:
        return
    # Those of a process that has ended are nobody's children.
    family = psutil.Process(process.pid).children(recursive=True)
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    if process.poll() is None:
        family += psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()
