"""``python -m benchmarks``: measures, prints, and writes RESULTS.md.

RESULTS.md has a part for what comes in, one for what is dispatched, and one for ``--scale``; each
run replaces its own.
"""

import os
import platform
import re
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

import django
from django.conf import settings

settings.configure()
django.setup()

from tests.databases import DATABASES, NotAskedFor  # noqa: E402

from .burst import burst  # noqa: E402
from .commits import commits  # noqa: E402
from .contest import contest  # noqa: E402
from .dispatch import dispatch_contest  # noqa: E402
from .doors import doors  # noqa: E402
from .figures import Bar, table  # noqa: E402
from .gathered import gathered  # noqa: E402
from .lengths import by_length, hot_record  # noqa: E402
from .places import Place, place  # noqa: E402
from .scale import at_scale  # noqa: E402
from .start_up import start_up  # noqa: E402

RESULTS = Path(__file__).parent / "RESULTS.md"
MARK = "<!-- {} -->"
TITLE = "# What was measured\n\n`make bench` and `make bench-scale` each write their parts.\n"
TITLES = {
    "bench": "## make bench: what comes in",
    "bench-dispatch": "## make bench: what is dispatched",
    "bench-scale": "## make bench-scale",
}
ROUNDS = {"bench": 5, "bench-dispatch": 3, "bench-scale": 7}
PLACES = {
    "bench": ["sqlite", "postgres"],
    "bench-dispatch": ["sqlite", "postgres", "mariadb"],
    "bench-scale": ["postgres"],
}


def main() -> int:
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--ingest", action="store_true", help="what comes in, alone")
    what.add_argument("--dispatch", action="store_true", help="what is dispatched, alone")
    what.add_argument("--scale", action="store_true", help="with millions of events")
    parser.add_argument("--only", choices=DATABASES, help="on this database alone")
    parser.add_argument("--rounds", type=int, help="how many rounds")
    parser.add_argument("--events", type=int, default=2_000_000, help="how many with --scale")
    parser.add_argument(
        "--before", type=Path, help="a checkout of an older version, to be compared with"
    )
    parser.add_argument("--dry-run", action="store_true", help="print, and leave RESULTS.md alone")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops what was started

    for part in parts_of(options):
        result = measured(part, options)
        print(result, flush=True)
        if not options.dry_run:
            write(part, result)
    return 0


def parts_of(options: Namespace) -> list[str]:
    """The parts of RESULTS.md to be measured."""
    if options.scale:
        return ["bench-scale"]
    if options.ingest or options.dispatch:
        return ["bench" if options.ingest else "bench-dispatch"]
    return ["bench", "bench-dispatch"]


def measured(part: str, options: Namespace) -> str:
    """One part, measured now."""
    started, load = time.monotonic(), os.getloadavg()[0]
    rounds = options.rounds or ROUNDS[part]
    places, texts, bars = [], [], list[Bar]()
    for key in [options.only] if options.only else PLACES[part]:
        try:
            with place(key) as where:
                text, reached = measured_there(part, where, rounds, options)
        except NotAskedFor:
            continue
        places.append(where.described)
        texts.append(text)
        bars += reached
    if part == "bench":
        bars += start_up(rounds)
    minutes = (time.monotonic() - started) / 60
    about = (
        f"{datetime.now(UTC):%Y-%m-%d}, {minutes:.0f} minutes, medians of {rounds}"
        f" alternating rounds. {machine()}; load {load:.1f} before. {'; '.join(places)}."
    )
    return "\n\n".join([TITLES[part], about, *texts, verdicts(bars)])


def measured_there(
    part: str, where: Place, rounds: int, options: Namespace
) -> tuple[str, list[Bar]]:
    """One part on one database."""
    match part:
        case "bench-scale":
            return at_scale(where, rounds, options.events)
        case "bench-dispatch":
            return dispatching(where, rounds, options.before)
    return taking_in(where, rounds)


def taking_in(where: Place, rounds: int) -> tuple[str, list[Bar]]:
    """All that is measured of what comes in on one database."""
    text, bars = contest(where, rounds)
    if where.is_server:
        more, others = doors(where, rounds)
        text, bars = f"{text}\n\n{more}", [*bars, *others]
    return text, bars


def dispatching(where: Place, rounds: int, before: Path | None) -> tuple[str, list[Bar]]:
    """All that is measured of dispatching on one database."""
    found = [by_length(where, rounds)]
    if where.vendor != "mysql":
        found.insert(0, dispatch_contest(where, rounds, before))
    if where.vendor == "postgresql":
        found.append(gathered(where, rounds))
        found.append(burst(where))
        found.append(("", hot_record(where, rounds) + commits(where)))
    texts, bars = zip(*found, strict=True)
    return "\n\n".join(filter(None, texts)), [bar for some in bars for bar in some]


def verdicts(bars: list[Bar]) -> str:
    """The bars, and the reasons for those that were missed."""
    words = {True: "reached", False: "missed", None: "not measured"}
    rows = [[bar.what, bar.bar, bar.measured, words[bar.reached]] for bar in bars]
    missed = [f"- {bar.what}: {bar.reason}" for bar in bars if not bar.reached and bar.reason]
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
