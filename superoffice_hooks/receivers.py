"""Receivers: the connected functions, and which events each of them is for."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from asgiref.sync import async_to_sync
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from .vocabulary import Names, split

if TYPE_CHECKING:
    from django.dispatch import Signal

SIGNIFICANT = "significant"
"""``fields="significant"``: any field that is no noise."""


class EventLike(Protocol):
    """What decides who is called; an Event has it."""

    name: Any
    """The event name; a column of the Event."""
    is_own: Any
    """Whether we caused it ourselves; a column of the Event."""

    @property
    def is_test(self) -> bool:
        """Whether it is the event a registration sends."""

    @property
    def changes(self) -> tuple[str, ...]:
        """The changed fields as sent; empty means unknown."""

    @property
    def significant_changes(self) -> tuple[str, ...]:
        """Those of them that are no noise."""

    @property
    def is_noise(self) -> bool:
        """Whether nothing but noise changed."""


Fields = str | Iterable[str] | None
"""Names of fields and patterns of names; ``"significant"``; None for all events."""


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


class Options:
    """What a receiver was connected with; see ``EventSignal.connect``.

    Raises:
        TypeError: ``fields`` is neither names nor a callable.
        ValueError: ``fields`` names nothing, or ``unknown_changes`` is no known word.
    """

    __slots__ = ("atomic", "fields", "ignore_own", "unknown_changes")

    def __init__(
        self,
        *,
        atomic: bool = True,
        fields: "Fields | Callable[[Any], Fields]" = None,
        unknown_changes: Literal["call", "skip"] = "call",
        ignore_own: bool = False,
    ) -> None:
        if unknown_changes not in ("call", "skip"):
            raise ValueError(f"unknown_changes is 'call' or 'skip', not {unknown_changes!r}.")
        self.atomic = atomic
        self.fields = fields if callable(fields) else _read(fields)
        self.unknown_changes = unknown_changes
        self.ignore_own = ignore_own

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.atomic, self.unknown_changes, self.ignore_own))

    def _key(self) -> tuple[Any, ...]:
        fields = tuple(self.fields) if isinstance(self.fields, Names) else self.fields
        return self.atomic, fields, self.unknown_changes, self.ignore_own

    @property
    def names(self) -> Names | None:
        """The names and patterns it listens to, as far as they are fixed; None if not."""
        return self.fields if isinstance(self.fields, Names) else None

    def may_want(self, name: str, noise: Names) -> bool:
        """Whether a change of this field can make a call; with a callable, any may."""
        if self.fields is None or callable(self.fields):
            return True
        return name in self.fields if isinstance(self.fields, Names) else name not in noise

    def asked(self, event: EventLike) -> "Names | Literal['significant'] | None":
        """What it listens to for this event; whatever a callable raises comes out."""
        return _read(self.fields(event)) if callable(self.fields) else self.fields


def _read(fields: Any) -> "Names | Literal['significant'] | None":
    if fields is None or isinstance(fields, Names):
        return fields
    if fields == SIGNIFICANT:
        return "significant"
    given = [fields] if isinstance(fields, str) else list(fields)
    if not all(isinstance(name, str) for name in given):
        raise TypeError(f"fields has names of changed fields, not {fields!r}.")
    names = Names(given)
    if not list(names):
        raise ValueError("fields names nothing, so the receiver would never be called.")
    return names


class Receiver(NamedTuple):
    """A connected function, under the dotted path that identifies it in the database."""

    path: str
    function: Callable[..., Any]
    is_async: bool
    options: Options
    signal: "Signal"
    pattern: str
    """Of the names of the events it listens to."""

    @property
    def entity(self) -> str:
        """The pattern of the entities it listens to: ``list.*`` of ``list.*.softdeleted``."""
        return split(self.pattern)[0]

    def __call__(self, **arguments: Any) -> None:
        """Call the function and wait for it; what it returns is of no use to anybody."""
        call = async_to_sync(self.function) if self.is_async else self.function
        call(signal=self.signal, **arguments)

    def judge(self, event: EventLike) -> "Verdict":
        """Whether it is to be called for an event of its signal."""
        options = self.options
        if options.ignore_own and event.is_own:
            return Verdict(self, Reason.OWN)
        if options.fields is None:
            return Verdict(self, Reason.EVERY, event.changes)
        if not event.changes:
            called = options.unknown_changes == "call"
            return Verdict(self, Reason.UNKNOWN if called else Reason.UNKNOWN_SKIPPED)
        try:
            asked = options.asked(event)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        # Cancellations and time-outs of libraries are no Exception.
        except BaseException as error:
            return Verdict(self, Reason.UNDECIDED, event.changes, error)
        return self._compare(event, asked)

    def _compare(self, event: EventLike, asked: Names | str | None) -> "Verdict":
        if asked is None:
            return Verdict(self, Reason.EVERY, event.changes)
        if not isinstance(asked, Names):
            reason = Reason.NOISE if event.is_noise else Reason.SIGNIFICANT
            return Verdict(self, reason, event.significant_changes)
        matching = asked.among(event.changes)
        return Verdict(self, Reason.CHANGED if matching else Reason.UNCHANGED, matching)


class Verdict(NamedTuple):
    """What a receiver makes of an event: why it is called or passed over, with which changes."""

    receiver: Receiver
    reason: Reason
    changes: tuple[str, ...] = ()
    """The names of the changed fields it is told of, as sent."""
    error: BaseException | None = None
    """What its filter raised: a failure of the receiver like any other, raised when called."""

    @property
    def is_call(self) -> bool:
        """Whether the receiver is to be called."""
        return self.reason in CALLED

    def __call__(self, **arguments: Any) -> None:
        """Call the receiver for the event."""
        if self.error:
            raise self.error
        self.receiver(changes=self.changes, **arguments)


def dotted_path(receiver: Callable[..., Any]) -> str:
    """``package.module.function``: how a receiver is known in the database."""
    named = receiver if hasattr(receiver, "__qualname__") else type(receiver)
    return f"{named.__module__}.{named.__qualname__}"
