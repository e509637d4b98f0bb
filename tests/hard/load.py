"""SuperOffice, sending from several threads while something is done to the server."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import cycle

from superoffice_hooks.testing import Attempt, SuperOffice, Webhook, notification

from . import SECRET

SENDERS = 4
RECORDS = 5
"""Of each sender. No two senders send events of one record, so each record has an order."""
MOST_EVENTS = 20_000
RIGHT = (200, 503, None)


class Load:
    """Signed events, sent until it is stopped; remembers the answers."""

    def __init__(
        self,
        url: Callable[[], str],
        pause: float = 0.01,
        name: str = "ticket.changed",
        records: int = RECORDS,
    ) -> None:
        self.name = name
        self.records = records
        # Ten times as fast as the real one.
        self.superoffice = SuperOffice(sleep=lambda seconds: time.sleep(seconds / 10), timeout=20)
        self.url = url
        self.pause = pause
        self.answers: Counter[int | None] = Counter()
        self.slowest = 0.0
        self.sent: dict[int, list[str]] = {}
        """The EventIds of each record, in the order in which they were sent."""
        self.acknowledged: set[str] = set()
        self.enough = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._send, args=(n,)) for n in range(SENDERS)]

    @property
    def wrong_answers(self) -> list[str]:
        """The answers that were neither 200 nor 503. No answer at all is none."""
        return [str(status) for status in self.answers.elements() if status not in RIGHT]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    @property
    def is_sending(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def stop(self) -> None:
        self.enough.set()
        for thread in self.threads:
            if thread.ident:
                thread.join()

    def _send(self, sender: int) -> None:
        records = range(sender * self.records, (sender + 1) * self.records)
        for key in cycle(records):
            if self.enough.wait(self.pause) or self.answers.total() > MOST_EVENTS:
                return
            event = notification(self.name, PrimaryKey=key)
            self.sent.setdefault(key, []).append(event["EventId"])
            webhook = Webhook(url=self.url(), secret=SECRET)
            self._count(event["EventId"], self.superoffice.deliver(webhook, event))

    def _count(self, event_id: str, attempts: list[Attempt]) -> None:
        with self.lock:
            self.answers.update(attempt.status for attempt in attempts)
            answered = (attempt.elapsed for attempt in attempts if attempt.status)
            self.slowest = max(self.slowest, *answered, 0.0)
            if any(attempt.succeeded for attempt in attempts):
                self.acknowledged.add(event_id)
