"""The spool: where verified deliveries wait while the database is away.

A folder in SPOOL_DIR, on this machine's own disk, shared by the processes of one project. Each
delivery is a file of its own, which is complete and on the disk before it gets its name. So one
that cannot be read or stored does not block others, and what has been stored can be deleted from a
full disk. A process that works on a file holds its lock, which ends with the process; the others
pass the file over.
"""

import hashlib
import heapq
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from django.db import connections, router

from ... import conf
from ...exceptions import NotStored
from ...models import Event
from ...wire.logs import get_logger
from ...wire.notification import Delivery
from ..taking import Result, note
from . import files, sqlite
from .files import Damaged

__all__ = ["SET_ASIDE", "Damaged", "Standing", "done", "folder", "locked", "pass_over"]
__all__ += ["put", "set_aside", "standing", "waiting"]

logger = get_logger(__name__)

SET_ASIDE = "set_aside"
"""The folder, in that of the spool, for what can never be stored."""

_AT_A_TIME = 1000

# Names of files that are stored, or set aside, and could not be deleted or moved.
_passed_over: set[str] = set()
# Names of files that could not be read when they were tried.
_unread: set[str] = set()


class Standing(NamedTuple):
    """What is in the spool."""

    length: int
    age: timedelta | None
    """For how long the oldest delivery has waited."""
    bytes: int
    set_aside: int
    """How many deliveries can never be stored and need a person."""


def folder() -> Path | None:
    """Return the folder of this project in SPOOL_DIR, whether it is there or not.

    Its name is made from that of the database, so two projects in one SPOOL_DIR have a folder each.
    The host is no part of it: a project whose database moves keeps its spool.
    """
    directory = conf.current().SPOOL_DIR
    if not directory:
        return None
    database = connections.databases[router.db_for_write(Event)]
    name = f"{database['ENGINE'].rpartition('.')[2]} {database['NAME']}"
    return Path(directory) / f"superoffice_hooks-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def put(delivery: Delivery) -> None:
    """Write a verified delivery to the disk.

    Raises:
        NotStored: there is no SPOOL_DIR, or it cannot be written to (disk full, no permission).
    """
    place = folder()
    if place is None:
        raise NotStored("the database is out of reach, and there is no SPOOL_DIR")
    try:
        files.write(place, delivery)
    except OSError as error:
        logger.exception("The spool cannot be written to")
        raise NotStored("neither the database nor the spool can be written to") from error
    note(Result.SPOOLED)


def waiting(last: Collection[str] = ()) -> Iterator[str]:
    """Yield the names of the waiting files, oldest first; those in ``last`` after all others."""
    place = folder()
    if place is None:
        return
    sqlite.move(place)
    seen: set[str] = set()
    for is_last in (False, True):
        while names := _oldest(place, seen, last, is_last=is_last):
            seen.update(names)
            yield from names


@contextmanager
def locked(name: str) -> Iterator[Delivery | None]:
    """Read a delivery and lock it; None if another process works on it, or has stored it.

    Raises:
        Damaged: the file is no delivery.
        OSError: it cannot be read.
    """
    with files.locked(_path(name)) as content:
        yield None if content is None else files.read(content)


def done(name: str) -> None:
    """Delete what has been stored; if that fails, this process does not store it again."""
    try:
        _path(name).unlink(missing_ok=True)
    except OSError:
        _passed_over.add(name)
        logger.exception("%s is stored, but cannot be deleted from the spool", name)


def pass_over(name: str, error: OSError) -> None:
    """Note that a file cannot be read now: once, though it is tried each time."""
    if name not in _unread:
        _unread.add(name)
        logger.error("%s cannot be read from the spool: %s", name, error)


def set_aside(name: str, reason: str) -> None:
    """Move a delivery that can never be stored to a folder of its own; it is never deleted."""
    path = _path(name)
    aside = path.parent / SET_ASIDE / name
    logger.error("A spooled delivery is set aside as %s: %s", aside, reason)
    try:
        aside.parent.mkdir(mode=0o700, exist_ok=True)
        path.rename(aside)
    except OSError:
        _passed_over.add(name)
        logger.exception("%s stays where it is and is passed over from now on", name)


def standing() -> Standing:
    """Return what is in the spool. Creates nothing, and opens no file."""
    place = folder()
    waiting = _names(place) if place else []
    aside = _names(place / SET_ASIDE) if place else []
    oldest = min(map(files.written_at, waiting), default=None)
    age = None if oldest is None else timedelta(seconds=max(0.0, time.time() - oldest))
    return Standing(len(waiting), age, sum(map(files.size_of, waiting)), len(aside))


def _path(name: str) -> Path:
    return (folder() or Path()) / name


def _oldest(
    place: Path, seen: Collection[str], last: Collection[str], *, is_last: bool
) -> list[str]:
    names = (
        name
        for name in _names(place)
        if name not in seen and name not in _passed_over and (name in last) is is_last
    )
    return heapq.nsmallest(_AT_A_TIME, names)


def _names(place: Path) -> list[str]:
    try:
        return list(files.names(place))
    except OSError:
        logger.exception("The spool cannot be read")
        return []
