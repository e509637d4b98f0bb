"""One receiver: judge whether it is called for an event, and call it."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from asgiref.sync import async_to_sync
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from ..exceptions import ends_the_process
from ..wire.event_names import Names, split
from .options import Options, read_fields

if TYPE_CHECKING:
    from django.dispatch import Signal


class EventLike(Protocol):
    """The attributes of an Event that decide which receivers are called."""

    name: Any
    """The event name; a column of the Event."""
    is_own: Any
    """Whether we caused it ourselves; a column of the Event."""

    @property
    def changes(self) -> tuple[str, ...]:
        """Return the changed fields as sent; empty means unknown."""

    @property
    def significant_changes(self) -> tuple[str, ...]:
        """Return those of them that are no noise."""

    @property
    def is_noise(self) -> bool:
        """Return whether nothing but noise changed."""


class Reason(TextChoices):
    """Why a receiver is called for an event, or passed over."""

    EVERY = "every", _("It takes every event of its signal.")
    CHANGED = "changed", _("Some of its fields changed.")
    SIGNIFICANT = "significant", _("More than noise changed.")
    UNKNOWN = "unknown", _("The changed fields are unknown, and it takes such events.")
    UNDECIDED = "undecided", _("Its fields= raised, which counts as a failure of the receiver.")
    UNCHANGED = "unchanged", _("None of its fields changed.")
    NOISE = "noise", _("Nothing but noise changed.")
    UNKNOWN_SKIPPED = "unknown_skipped", _("The changed fields are unknown, and it skips these.")
    OWN = "own", _("We caused the event ourselves, and it ignores those.")


CALLED = (Reason.EVERY, Reason.CHANGED, Reason.SIGNIFICANT, Reason.UNKNOWN, Reason.UNDECIDED)


class Receiver(NamedTuple):
    """A connected function. Once judged, also the reason why it is called or passed over."""

    path: str
    """The dotted path that identifies it in the database."""
    function: Callable[..., Any]
    is_async: bool
    options: Options
    signal: "Signal"
    pattern: str
    """The pattern of event names that it is connected to."""
    reason: Reason | None = None
    """Why it is called for an event, or passed over; None until it is judged."""
    changes: tuple[str, ...] = ()
    """The names of the changed fields that it is called with, as sent."""
    error: BaseException | None = None
    """What its filter raised. ``call`` raises it again, as a failure of the receiver."""

    @property
    def entity(self) -> str:
        """Return the pattern of the entities: ``list.*`` of ``list.*.softdeleted``."""
        return split(self.pattern)[0]

    @property
    def is_called(self) -> bool:
        """Return whether it is called for the event that it was judged for."""
        return self.reason in CALLED

    @property
    def deciding_fields(self) -> Iterable[str]:
        """Return the fields because of which it is called, or because of which it would be."""
        if self.reason == Reason.UNCHANGED:
            return self.options.names or ()
        return self.changes if self.reason == Reason.CHANGED else ()

    def judged(self, event: EventLike) -> Self:
        """Return a copy with the reason why it is called for an event, or passed over."""
        options = self.options
        if options.ignore_own and event.is_own:
            return self._replace(reason=Reason.OWN)
        changes = event.changes
        fields = options.fields
        if fields is not None and not changes:
            called = options.unknown_changes == "call"
            return self._replace(reason=Reason.UNKNOWN if called else Reason.UNKNOWN_SKIPPED)
        if callable(fields):
            try:
                fields = read_fields(fields(event))
            # BaseException, because cancellations and time-outs of some libraries are no Exception.
            except BaseException as error:
                if ends_the_process(error):
                    raise
                return self._replace(reason=Reason.UNDECIDED, changes=changes, error=error)
        if fields is None:
            return self._replace(reason=Reason.EVERY, changes=changes)
        if isinstance(fields, Names):
            matching = fields.among(changes)
            reason = Reason.CHANGED if matching else Reason.UNCHANGED
            return self._replace(reason=reason, changes=matching)
        reason = Reason.NOISE if event.is_noise else Reason.SIGNIFICANT
        return self._replace(reason=reason, changes=event.significant_changes)

    def call(self, **arguments: Any) -> None:
        """Call the function for the event that it was judged for, and wait until it returns.

        In a replay, and for an event that failed in a batch, a gathered receiver gets one event.
        """
        if self.options.is_gathered:
            arguments.setdefault("events", [arguments["event"]])
        with ExitStack() as stack:
            for around in around_calls:
                stack.enter_context(around(self, arguments["event"]))
            if self.error:
                raise self.error
            function = async_to_sync(self.function) if self.is_async else self.function
            function(signal=self.signal, changes=self.changes, **arguments)


around_calls: list[Callable[[Receiver, Any], AbstractContextManager[object]]] = []
"""Functions that return a context for each call, by receiver and event: for traces, figures, tests.

What such a context raises counts as raised by the receiver.
"""


def dotted_path(receiver: Callable[..., Any]) -> str:
    """Return ``package.module.function``, by which the database knows a receiver."""
    named = receiver if hasattr(receiver, "__qualname__") else type(receiver)
    return f"{named.__module__}.{named.__qualname__}"
