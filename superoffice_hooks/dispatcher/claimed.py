"""What a process has claimed and not begun: events and gatherings, for all its lanes."""

from collections import deque
from collections.abc import Iterable, Mapping

from .. import conf
from ..dispatching.joining import join_unclaimed, join_what_only_waits
from ..models import Event, Gathering, steps
from ..models.claiming import Taker
from ..models.queued import Queued
from ..models.turns import sequences_of

_AHEAD_SECONDS = 0.5
"""About how many seconds of work are claimed ahead. Other processes get the rest."""

_JOIN_AT_ONCE = 200
"""How many events join in one transaction while all that are due only join."""


class Pace:
    """How long an attempt has taken lately, and so how many to claim ahead.

    Args:
        limit: the maximum number that is claimed at a time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seconds = 0.05

    def note(self, seconds: float) -> None:
        """Note how long an attempt took, as a share of one lane."""
        self._seconds += (seconds - self._seconds) / 8

    @property
    def ahead(self) -> int:
        """Return how many to claim at a time."""
        return max(1, min(self._limit, int(_AHEAD_SECONDS / max(self._seconds, 0.0001))))


class Claimed:
    """Events, in sequences that are dispatched one after the other, and gatherings.

    Args:
        limit: the maximum number of each that is claimed at a time.
    """

    def __init__(self, limit: int) -> None:
        self.sequences = deque[list[Event]]()
        self.gatherings = deque[Gathering]()
        self.handed = deque[Event]()
        """Events that were stored as begun."""
        self.pace = {Event: Pace(limit), Gathering: Pace(limit)}
        self._limit = limit
        self._only_joins = False
        self._events = Taker(Event)
        self._gathered = Taker(Gathering)

    def __bool__(self) -> bool:
        return bool(self.is_to_begin or self.handed)

    @property
    def is_to_begin(self) -> bool:
        """Return whether there is something that was claimed and is to be begun."""
        return bool(self.sequences or self.gatherings)

    def take(self) -> tuple[list[list[Event]], int]:
        """Claim what is due, and let events join that only gathered receivers are for.

        Returns the sequences of the others, and how many have joined.

        Gatherings are kept at once, because the claim of events may fail. Others are claimed once
        those that were claimed before have begun.
        """
        if not self.gatherings:
            self.gatherings.extend(self._gathered.take(self.pace[Gathering].ahead))
        if self._only_joins and not conf.current().ORDERED:
            joined, self._only_joins = join_unclaimed(self._events, _JOIN_AT_ONCE)
            if joined:
                return [], joined
        ahead = self._limit if self._only_joins else self.pace[Event].ahead
        sequences = sequences_of(self._events.take(ahead))
        joined = len(join_what_only_waits(sequences))
        sequences = [sequence for sequence in sequences if sequence]
        # Joining takes no time that other processes could use.
        self._only_joins = joined > 0 and not sequences
        return sequences, joined

    def give_back(self) -> None:
        """End the claims: the process ends."""
        while self.handed:
            steps.break_off(self.handed.popleft(), 0).apply()
        while self.gatherings:
            steps.give_back([self.gatherings.popleft()])
        while self.sequences:
            steps.give_back(self.sequences.popleft())

    def rows(self) -> list[Queued]:
        """Return all of it."""
        events = [event for sequence in self.sequences for event in sequence]
        return [*self.handed, *events, *self.gatherings]


def tokens(rows: Iterable[Queued]) -> Mapping[type[Queued], dict[int, int | None]]:
    """Return the claims of these rows: by model and primary key, their tokens."""
    claims: dict[type[Queued], dict[int, int | None]] = {}
    for row in rows:
        claims.setdefault(type(row), {})[row.pk] = row.claim
    return claims
