"""The clock of a process that works a queue off: from the first call to the last that counts.

When BENCH_STOP_AFTER events were handed to a receiver, the process is told to stop, as an operator
would, and so the calls after that and the process's start are left out. What was measured goes into
the file BENCH_METER.
"""

import atexit
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import NamedTuple

_last = int(os.environ.get("BENCH_STOP_AFTER", "0"))
_lock = threading.Lock()


class Call(NamedTuple):
    """When the receiver was called, and for how many events until then, these included."""

    events: int
    seconds: float
    cpu: float


_calls: list[Call] = []


def called(events: int = 1) -> None:
    """Note a call for so many events; safe in any thread."""
    with _lock:
        before = _calls[-1].events if _calls else 0
        if before >= _last:
            return
        _calls.append(Call(before + events, time.perf_counter(), time.process_time()))
        is_last = _calls[-1].events >= _last
    if is_last:
        os.kill(os.getpid(), signal.SIGTERM)


def _write() -> None:
    if len(_calls) > 1:
        first, last = _calls[0], _calls[-1]
        result = {
            # A call is noted as it begins, so what the last one was for is not in the time.
            "count": last.events - first.events,
            "seconds": last.seconds - first.seconds,
            "cpu": last.cpu - first.cpu,
            "answers": [],
            "calls": len(_calls),
            "handed_over": last.events,
        }
        Path(os.environ["BENCH_METER"]).write_text(json.dumps(result))


if _last:
    atexit.register(_write)
