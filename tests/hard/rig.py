"""The rig: a project that serves, dispatches and is sent events, and what is counted in the end."""

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from superoffice_hooks.receiving.spool import files

from . import figures
from .load import Load
from .processes import Project, send, wait_until
from .servers import WebServer

LEASE = 2
PATIENCE = 15
"""Seconds without any progress after which what is left counts as stuck, beside the lease."""
LONGEST = 180
WAKE_SECONDS = 3
OLD_ENOUGH = 3
"""Seconds after which a dispatcher has surely started and obeys SIGTERM."""

DISPATCHERS = {"in_process": 0, "worker": 2, "task": 1}


class Dispatcher:
    """A process that dispatches, which a test may end and start again."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self.exits: list[int] = []
        self.start()

    def start(self) -> None:
        self.process = self._start()
        self.since = time.monotonic()

    @property
    def is_up(self) -> bool:
        return self.process.poll() is None and time.monotonic() - self.since > OLD_ENOUGH

    def revive(self) -> None:
        if self.process.poll() is not None:
            self.exits.append(self.process.returncode)
            self.start()


class Rig:
    """Everything one hard test needs: start it, trouble it, and judge."""

    def __init__(
        self,
        project: Project,
        chance: random.Random,
        say: Callable[[str], None],
    ) -> None:
        self.project = project
        self.chance = chance
        self.say = say
        self.mode: str = project.hooks.get("DISPATCH", "in_process")
        self.web: WebServer | None = None
        self.dispatchers: list[Dispatcher] = []
        self.load = Load(lambda: self.web.url)
        self.blows: Counter[str] = Counter()
        self.frozen: list[int] = []

    def serve(self, kind: str = "gunicorn sync") -> WebServer:
        """Start a web server, and what its mode of dispatch wants beside it."""
        self.web = WebServer(self.project, kind)
        for _ in range(DISPATCHERS[self.mode]):
            self.watch()
        if self.mode == "task":
            self.dispatchers.append(
                Dispatcher(lambda: self.project.start("django", "db_worker", "--interval=0.1"))
            )
        return self.web

    def watch(self, **rest: Any) -> Dispatcher:
        self.dispatchers.append(Dispatcher(lambda: self.project.watch(**rest)))
        return self.dispatchers[-1]

    def victims(self) -> list[int]:
        """One process of each kind, chosen at random."""
        up = [dispatcher.process.pid for dispatcher in self.dispatchers if dispatcher.is_up]
        kinds = [up, self.web.pids() if self.web else []]
        return [self.chance.choice(pids) for pids in kinds if pids]

    def strike(self, blow: signal.Signals) -> None:
        """Send a signal to a process of each kind; a frozen one goes on after its lease."""
        victims = self.victims()
        for pid in victims:
            send(pid, blow)
            self.blows[blow.name] += 1
        if blow == signal.SIGSTOP:
            self.frozen += victims
            time.sleep(LEASE + 1.5)
            self.thaw()
        self.revive()

    def thaw(self) -> None:
        while self.frozen:
            send(self.frozen.pop(), signal.SIGCONT)

    def revive(self) -> None:
        if self.web:
            self.web.revive()
        for dispatcher in self.dispatchers:
            dispatcher.revive()

    def harass(self, blow: signal.Signals, events: int, blows: int) -> None:
        """Send events, and signals at random, until there were enough of both."""
        self.load.start()
        while self.blows.total() < blows:
            time.sleep(self.chance.uniform(0.1, 0.6))
            self.strike(blow)
        self.until(events)

    def until(self, events: int, seconds: float = 120) -> None:
        """Wait until so many events are acknowledged; what has ended meanwhile is started again."""
        deadline = time.monotonic() + seconds
        while (so_far := len(self.load.acknowledged)) < events:
            told = f"{so_far} of {events} were acknowledged: {self.load.answers}"
            assert self.load.is_sending, f"The senders have ended; {told}"
            assert time.monotonic() < deadline, told
            self.revive()
            time.sleep(0.05)

    def left(self) -> int:
        """Count what is not finished: events, replays, and deliveries in the spool."""
        self.revive()
        return self.project.unfinished() + len(self.spooled())

    def spooled(self) -> list[str]:
        """The EventIds in the spool, those that were set aside too."""
        directory = Path(self.project.hooks.get("SPOOL_DIR", "/nowhere"))
        bodies = []
        for path in directory.rglob(f"*{files.ENDING}"):
            # Whoever drains the spool may be faster.
            with suppress(FileNotFoundError):
                bodies.append(files.read(path.read_bytes()).body.decode())
        return sorted(figures.event_ids(bodies))

    def recover(self) -> float:
        """Let everything be healthy, and wait until all is finished or nothing moves any more.

        Return how many seconds that took.
        """
        started = time.monotonic()
        self.load.stop()
        self.thaw()
        self.revive()
        deadline = time.monotonic() + LONGEST
        lease = self.project.hooks.get("LEASE_SECONDS", LEASE)
        left, changed = -1, time.monotonic()
        woken = 0.0
        while (now := self.left()) and time.monotonic() < deadline:
            # Now and then, for processes that were started meanwhile; requests take their time too.
            if self.web and time.monotonic() - woken > WAKE_SECONDS:
                self.web.wake()
                woken = time.monotonic()
            if now != left:
                left, changed = now, time.monotonic()
            if time.monotonic() - changed > lease + PATIENCE:
                break
            time.sleep(0.2)
        return time.monotonic() - started

    def stop(self) -> None:
        """End everything with SIGTERM, and wait for it."""
        running = [dispatcher.process for dispatcher in self.dispatchers]
        if self.web:
            running.append(self.web.master)
        for process in running:
            send(process.pid, signal.SIGTERM)
        for process in running:
            wait_until(partial(_has_ended, process), "an end after SIGTERM")

    def judge(
        self, title: str, replayed: Mapping[int, Collection[str]] | None = None
    ) -> dict[str, Any]:
        """Recover, stop, count and print; everything counted must be 0. Return the report."""
        seconds = self.recover()
        self.stop()
        report = self.project.report()
        found = figures.count(report, self.load.acknowledged, self.spooled(), replayed)
        found.wrong_answers += self.load.wrong_answers
        if self.project.hooks.get("ORDERED"):
            found.overtaken += figures.overtaken(report, self.load.sent, self.load.acknowledged)
        blows = ", ".join(f"{count} {name}" for name, count in self.blows.items())
        sent = f"{len(self.load.acknowledged)} answered 200, {self.load.answers[503]} times 503"
        rest = f"at rest after {seconds:.0f} s"
        said = ", ".join(f"{name} {number}" for name, number in found.counts.items())
        self.say(f"{title}: {blows or 'no signals'}; {sent}; {rest}: {said}")
        assert not found.examples, f"{title}\n{found.examples}"
        return report


def _has_ended(process: subprocess.Popen[Any]) -> bool:
    return process.poll() is not None
