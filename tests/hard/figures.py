"""What must be 0 in the end: lost, doubled, stuck, unasked, blamed, wrong answers, overtaken."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

MAY_FAIL = {"kill_the_process"}
"""Receivers that are to blame if their event fails."""
SIGNALS = {"failure_group_opened"}
"""What leaves rows and is no receiver of events, so that nobody asks for it."""
STUMBLED = "the first attempt of this record fails"
EXAMPLES = 5


@dataclass
class Figures:
    """What was counted, each with the ids behind it."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    blamed: list[str] = field(default_factory=list)
    """Failed runs of receivers that did not fail."""
    wrong_answers: list[str] = field(default_factory=list)
    overtaken: list[str] = field(default_factory=list)
    """Only counted with ORDERED."""

    @property
    def counts(self) -> dict[str, int]:
        return {name.replace("_", " "): len(ids) for name, ids in vars(self).items()}

    @property
    def examples(self) -> str:
        """The first few of each, for the message of a test that fails."""
        found = [
            f"{name}: {ids[:EXAMPLES]}{'' if len(ids) <= EXAMPLES else f' and {len(ids)} in all'}"
            for name, ids in vars(self).items()
            if ids
        ]
        return "\n".join(found)


def count(
    report: Mapping[str, Any],
    acknowledged: Collection[str] = (),
    spooled: Collection[str] = (),
    replayed: Mapping[int, Collection[str]] | None = None,
) -> Figures:
    """Compare what the database holds with what was acknowledged and asked for.

    Args:
        report: what ``tests.hard.report`` printed.
        acknowledged: the EventIds that were answered 200.
        spooled: the EventIds that are in the spool.
        replayed: {replay: EventIds that it was to replay}; of others, any run is unasked.
    """
    figures = Figures()
    asked = Asked(report, replayed or {})
    known = {*report["events"], *spooled, *event_ids(report["kept"])}
    figures.lost += sorted(set(acknowledged) - known)
    figures.stuck += [f"{event_id} in the spool" for event_id in spooled]
    arrivals = [row for row in report["arrivals"] if row[1] not in SIGNALS]
    rows = Counter((event, who, replay) for event, who, replay, _ in arrivals)
    runs = report["runs"]
    for event_id, status in report["status_of"].items():
        if status == "succeeded":
            missing = [who for who in asked.of(event_id, None) if not rows[event_id, who, None]]
            figures.lost += [f"{event_id} succeeded without {who}" for who in missing]
        elif status in ("pending", "running", "waiting"):
            figures.stuck.append(event_id)
        elif status == "failed" and not asked.of(event_id, None) & MAY_FAIL:
            figures.unasked.append(f"{event_id} failed")
    successes = Counter(tuple(run[:3]) for run in runs if run[3] == "succeeded")
    for counted, what in ((rows, "rows"), (successes, "successes")):
        figures.doubled += [f"{key} has {n} {what}" for key, n in counted.items() if n > 1]
    calls = {tuple(row[:3]) for row in (*arrivals, *runs)}
    figures.unasked += [
        f"{who} for {event_id} in replay {replay}"
        for event_id, who, replay in calls
        if who not in asked.of(event_id, replay)
    ]
    figures.blamed += [
        f"{who} for {event_id}: {error}"
        for event_id, who, error in report["failures"]
        if who not in MAY_FAIL and STUMBLED not in error
    ]
    return figures


class Asked:
    """Which receivers an event, or a replay of it, asks for."""

    def __init__(self, report: Mapping[str, Any], replayed: Mapping[int, Collection[str]]) -> None:
        self.by_event = report["asked_by"]
        self.by_replay = report["receivers_of"]
        self.replayed = {replay: set(event_ids) for replay, event_ids in replayed.items()}

    def of(self, event_id: str, replay: int | None) -> set[str]:
        asked = set(self.by_event.get(event_id, ()))
        if replay is None:
            return asked
        if event_id not in self.replayed.get(replay, ()):
            return set()
        chosen = self.by_replay.get(str(replay), ())
        return asked & set(chosen) if chosen else asked


def overtaken(
    report: Mapping[str, Any], sent: Mapping[int, list[str]], acknowledged: Collection[str]
) -> list[str]:
    """Return the events that a receiver got after a later one of the same record."""
    found = []
    orders: dict[tuple[str, int], list[str]] = {}
    for event_id, who, replay, key in report["arrivals"]:
        if replay is None:
            orders.setdefault((who, key), []).append(event_id)
    for (who, key), order in orders.items():
        place = {event_id: number for number, event_id in enumerate(sent.get(key, ()))}
        latest = -1
        for event_id in order:
            if event_id in acknowledged and event_id in place:
                if place[event_id] < latest:
                    found.append(f"{event_id} of record {key} for {who}")
                latest = max(latest, place[event_id])
    return found


def event_ids(bodies: Iterable[str]) -> set[str]:
    """Return the EventIds that are in these bodies."""
    found = set()
    for body in bodies:
        with suppress(ValueError, AttributeError):
            found.add(str(json.loads(body).get("EventId")))
    return found
