"""``python -m benchmarks [--scale]``: measures, prints, and writes RESULTS.md.

RESULTS.md has a part for each of the two; each run replaces its own.
"""

import os
import platform
import re
import signal
import sys
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path

import django
from django.conf import settings

settings.configure()
django.setup()

from .contest import contest, start_up  # noqa: E402
from .figures import Bar, table  # noqa: E402
from .places import place  # noqa: E402
from .scale import at_scale  # noqa: E402

RESULTS = Path(__file__).parent / "RESULTS.md"
MARK = "<!-- {} -->"
TITLE = "# What was measured\n\n`make bench` and `make bench-scale` each write their part.\n"


def main() -> int:
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    parser.add_argument("--scale", action="store_true", help="with millions of events")
    parser.add_argument("--only", choices=["sqlite", "postgres"], help="on this database alone")
    parser.add_argument("--rounds", type=int, default=7, help="how many rounds (default: 7)")
    parser.add_argument("--events", type=int, default=2_000_000, help="how many with --scale")
    parser.add_argument("--dry-run", action="store_true", help="print, and leave RESULTS.md alone")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops what was started

    started, load = time.monotonic(), os.getloadavg()[0]
    places, texts, bars = [], [], list[Bar]()
    keys = ["postgres"] if options.scale else ["sqlite", "postgres"]
    for key in [options.only] if options.only else keys:
        with place(key) as where:
            if options.scale:
                text, reached = at_scale(where, options.rounds, options.events)
            else:
                text, reached = contest(where, options.rounds)
        places.append(where.described)
        texts.append(text)
        bars += reached
    if not options.scale:
        bars.append(start_up(options.rounds))
    part = "bench-scale" if options.scale else "bench"
    minutes = (time.monotonic() - started) / 60
    about = (
        f"{datetime.now(UTC):%Y-%m-%d}, {minutes:.0f} minutes, medians of {options.rounds}"
        f" alternating rounds. {machine()}; load {load:.1f} before. {'; '.join(places)}."
    )
    result = "\n\n".join([f"## make {part}", about, *texts, verdicts(bars)])
    print(result)
    if not options.dry_run:
        write(part, result)
    return 0


def verdicts(bars: list[Bar]) -> str:
    """The bars, and why those that were missed were."""
    words = {True: "reached", False: "missed", None: "not measured"}
    rows = [[bar.what, bar.bar, bar.measured, words[bar.reached]] for bar in bars]
    missed = [f"- {bar.what}: {bar.why_not}" for bar in bars if not bar.reached and bar.why_not]
    return "\n\n".join(
        [
            "### The bars",
            table(["What", "Bar", "Measured", ""], rows),
            *(["Why some were missed:\n\n" + "\n".join(missed)] if missed else []),
        ]
    )


def machine() -> str:
    cpu = ""
    if (info := Path("/proc/cpuinfo")).exists():
        found = re.search(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE)
        cpu = f" of {found[1]}" if found else ""
    return (
        f"{os.cpu_count()} cores{cpu}, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, Django {django.__version__}"
    )


def write(part: str, result: str) -> None:
    """Replace one part of RESULTS.md."""
    known = RESULTS.read_text() if RESULTS.exists() else TITLE
    mark = MARK.format(part)
    before, _, rest = known.partition(f"\n{mark}\n")
    after = rest.partition(f"\n{mark}\n")[2]
    RESULTS.write_text(f"{before.rstrip()}\n\n{mark}\n{result}\n{mark}\n{after}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
