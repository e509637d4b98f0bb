"""One delivery as a file: a line of JSON, and behind it the body as it came."""

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from ...wire.notification import Delivery, notes_of

try:
    import fcntl
except ImportError:  # Windows: two processes may store one delivery, the second as a redelivery
    fcntl = None  # type: ignore[assignment]

ENDING = ".delivery"
_UNFINISHED = ".part"
_LEFT_SECONDS = 3600
"""A process that has not finished a file after this time is gone, and its sender was refused."""


class Damaged(ValueError):
    """A file that is no delivery. The message says why, without quoting the file."""


def write(place: Path, delivery: Delivery) -> None:
    """Write a delivery into a folder, which is made if it is missing.

    Raises:
        OSError: it could not be written, and is not there.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = _encoded(delivery)
    # The names sort by time, and say what is to be known without opening the files.
    name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}-{len(content)}"
    unfinished = place / (name + _UNFINISHED)
    try:
        # For our own user only.
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(place / (name + ENDING))
        _sync(place)
    except OSError:
        for path in (unfinished, place / (name + ENDING)):
            with suppress(OSError):
                path.unlink()
        raise


@contextmanager
def locked(path: Path) -> Iterator[bytes | None]:
    """Read a file and hold it for this process; None if another one has it or has deleted it.

    Raises:
        OSError: it cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file.read() if _lock(file.fileno()) else None


def read(content: bytes) -> Delivery:
    """Return the delivery in a file.

    Raises:
        Damaged: there is none.
    """
    line, _, body = content.partition(b"\n")
    try:
        head = json.loads(line)
        size = head.pop("bytes")
        received_at = datetime.fromisoformat(head["received_at"])
        notes = notes_of(head["headers"])
        delivery = Delivery(**{**head, "received_at": received_at, **notes}, body=body)
        texts = [delivery.endpoint, *delivery.headers.keys(), *delivery.headers.values()]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged(
            f"its first line is not that of a delivery ({type(error).__name__})"
        ) from error
    if not all(isinstance(text, str) for text in texts):
        raise Damaged("its headers are not text")
    if len(body) != size:
        raise Damaged(f"it has {len(body)} bytes of a body of {size}")
    return delivery


def names(place: Path) -> Iterator[str]:
    """Yield the names of the deliveries in a folder, in no order; none if it is missing.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.name.endswith(ENDING):
                    yield entry.name
                elif entry.name.endswith(_UNFINISHED):
                    _delete_if_left(Path(entry.path))
    except FileNotFoundError:
        return


def written_at(name: str) -> float:
    """Return when a file got its name, in seconds since the epoch."""
    number = name.partition("-")[0]
    return int(number) / 1e9 if number.isascii() and number.isdigit() else time.time()


def size_of(name: str) -> int:
    """Return how many bytes a file has."""
    number = name.removesuffix(ENDING).rpartition("-")[2]
    return int(number) if number.isascii() and number.isdigit() else 0


def _encoded(delivery: Delivery) -> bytes:
    head = {
        "endpoint": delivery.endpoint,
        "headers": delivery.kept_headers(),
        "remote_addr": delivery.remote_addr,
        "received_at": delivery.received_at.isoformat(),
        "signed": delivery.signed,
        "bytes": len(delivery.body),
    }
    return json.dumps(head).encode() + b"\n" + delivery.body


def _delete_if_left(unfinished: Path) -> None:
    if time.time() - written_at(unfinished.name) > _LEFT_SECONDS:
        with suppress(OSError):
            unfinished.unlink()


def _lock(descriptor: int) -> bool:
    """Take the lock of an open file; False if another process has it, or has deleted the file."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # Some network file systems have no locks for files that are open for reading. Then two
            # processes may store one delivery, the second as a redelivery.
            pass
    return os.fstat(descriptor).st_nlink > 0


def _sync(place: Path) -> None:
    """Write the names of new files to the disk too, which fsync of the file does not do."""
    if os.name != "nt":
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
