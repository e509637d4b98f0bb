"""``python -m benchmarks.hops``: the calls into the package from a POST until its receiver has run.

One delivery of ``ticket.changed`` with its 47 fields and one receiver that does nothing, in a warm
process on a new database. Prints each call in order, then two sums: all calls, and the different
functions. A generator that goes on is a call again; a comprehension is part of its function.
"""

import os
import sys
import threading
from argparse import ArgumentParser
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import django
from django.conf import settings

import superoffice_hooks

BAR = 88
"""The highest number of calls: 60 % of the 147 that there were."""

PACKAGE = f"{Path(superoffice_hooks.__file__).parent}{os.sep}"
RECEIVER = "do_nothing"


class Hops:
    """Notes the calls into the package, in all threads, until the receiver has returned."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.is_on = False
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, what: str, argument: Any) -> None:
        code = frame.f_code
        if self.is_on and what == "call" and _is_ours(code):
            self.calls.append((code.co_filename.removeprefix(PACKAGE), code.co_qualname))
        elif what == "return" and code.co_name == RECEIVER:
            self.is_on = False


def _is_ours(code: CodeType) -> bool:
    is_comprehension = code.co_name.startswith("<") and code.co_name != "<lambda>"
    return code.co_filename.startswith(PACKAGE) and not is_comprehension


def main() -> int:
    settings.configure()
    django.setup()
    from tests.databases import DATABASES  # noqa: PLC0415  (they need Django)

    from .places import bench_database, place  # noqa: PLC0415
    from .processes import worker  # noqa: PLC0415

    parser = ArgumentParser(prog="python -m benchmarks.hops", description=__doc__)
    parser.add_argument("--lanes", type=int, default=2, help="the LANES setting (default: 2)")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    options = parser.parse_args()
    with (
        place(options.database) as where,
        bench_database(where.url) as url,
        worker(url, BENCH_RECEIVER="nothing") as tell,
    ):
        calls = tell("hops", lanes=options.lanes)
    for number, (module, function) in enumerate(calls, 1):
        print(f"{number:4} {module:32} {function}")
    functions = len({tuple(call) for call in calls})
    print(f"{len(calls)} calls (at most {BAR}) of {functions} functions")
    return int(len(calls) > BAR)


if __name__ == "__main__":
    sys.exit(main())
