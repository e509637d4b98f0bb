"""Taking: what comes of one delivery, for those who trace or measure deliveries.

Unless one of them is there, nothing is noted.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from ..models import Event
from ..wire.log_fields import about
from ..wire.logs import get_logger

logger = get_logger(__name__)


class Result(StrEnum):
    """What came of a delivery."""

    EVENT = "event"
    """A new event."""
    REDELIVERY = "redelivery"
    """A redelivery of an event that is stored already."""
    REJECTED = "rejected"
    """A rejection with its whole body: it is signed, and made no event."""
    REFUSED = "refused"
    """It was not let in."""
    SPOOLED = "spooled"
    """It waits in the spool."""
    NOT_STORED = "not_stored"
    """Nothing: SuperOffice has to send it again."""


@dataclass(slots=True)
class Taking:
    """One delivery that is being taken in."""

    endpoint: str
    """As in the URL, so anybody may have made it up, until it is verified."""
    remote_addr: str | None = None
    is_spooled: bool = False
    """Whether it comes out of the spool, and not from SuperOffice."""
    traceparent: str = ""
    """The trace that the delivery is part of, as W3C Trace Context writes it; stored with it."""
    size: int = 0
    """The length of its body, in bytes."""
    result: Result = Result.NOT_STORED
    reason: str = ""
    """Why it was refused or rejected."""
    event: Event | None = None
    status_code: int = 0
    """The answer; 0 for a delivery from the spool."""


around_deliveries: list[Callable[[Taking], AbstractContextManager[object]]] = []
"""Each returns a context in which a delivery is taken in: for tracing and measuring.

What it raises is logged, and changes nothing. When it is left, the Taking says what came of it.
"""

_current: ContextVar[Taking | None] = ContextVar("superoffice_hooks_taking", default=None)


def taking(taken: Taking) -> AbstractContextManager[None]:
    """Return the block in which a delivery is taken in: what is logged in it names the delivery."""
    block = about(endpoint=taken.endpoint, remote_addr=taken.remote_addr)
    return _observed(taken, block) if around_deliveries else block


@contextmanager
def _observed(taken: Taking, block: AbstractContextManager[None]) -> Iterator[None]:
    """Enter the block, and in it ``around_deliveries``."""
    token = _current.set(taken)
    with block, ExitStack() as stack:
        stack.callback(_current.reset, token)
        for around in around_deliveries:
            stack.enter_context(_harmless(around, taken))
        yield


def note(result: Result, reason: str = "", event: Event | None = None) -> None:
    """Note what came of the delivery that is being taken in; the last note counts."""
    if (taken := _current.get()) is not None:
        taken.result, taken.reason, taken.event = result, reason, event


@contextmanager
def _harmless(
    around: Callable[[Taking], AbstractContextManager[object]], taken: Taking
) -> Iterator[None]:
    """Enter a context whose errors are logged: a delivery must not be lost by its measurement."""
    context = None
    try:
        context = around(taken)
        context.__enter__()
    except Exception:
        logger.exception("%r raised before a delivery", around)
        context = None
    try:
        yield
    finally:
        if context is not None:
            try:
                context.__exit__(None, None, None)
            except Exception:
                logger.exception("%r raised after a delivery", around)
