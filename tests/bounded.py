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
        end(process, grace)
        raise TooLong from None
    except KeyboardInterrupt:
        end(process, grace, is_interrupted=True)
        raise
    except SystemExit:
        end(process, grace)
        raise


def end(process: subprocess.Popen[bytes], grace: float, *, is_interrupted: bool = False) -> None:
    """Interrupt a process, wait for its end, and kill what is left of it.

    Ctrl-C reaches it without us, and a second one would break off what it takes down.
    """
    # Asked before it ends: the children of a process that has ended are nobody's.
    family = descendants(process)
    if not is_interrupted:
        process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    if process.poll() is None:
        family += descendants(process)
        process.kill()
        process.wait()
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The children of a process and theirs; none of a process that has ended."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
