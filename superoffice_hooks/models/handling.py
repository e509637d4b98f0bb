"""The handling of failed events by a person: who, when, and for what reason."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models, router
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .transactions import own_transaction

if TYPE_CHECKING:
    from .event import Event

_BATCH = 500
"""How many events are marked in one transaction."""
_WHO_LENGTH = 255


class Handling(models.Model):
    """One time that a failed event was marked as handled. It stays when that is undone."""

    event = models.ForeignKey(
        "Event", verbose_name=_("event"), on_delete=models.CASCADE, related_name="handlings"
    )
    who = models.CharField(_("who"), max_length=_WHO_LENGTH)
    reason = models.TextField(_("reason"))
    handled_at = models.DateTimeField(_("handled at"), default=timezone.now)
    undone_by = models.CharField(_("undone by"), max_length=_WHO_LENGTH, blank=True)
    undone_at = models.DateTimeField(_("undone at"), null=True)

    class Meta:
        verbose_name = _("handling")
        verbose_name_plural = _("handlings")
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.event_id} {self.who}"


def handle(events: "QuerySet[Event]", *, who: str, reason: str, batch: int = _BATCH) -> int:
    """Mark the failed ones of these events as handled; return how many.

    Each ``batch`` of events is one transaction, so that no event is locked for long.
    """
    who = who[:_WHO_LENGTH]
    columns = {"status": "handled", "handled_by": who, "handled_reason": reason}
    count = 0
    for failed, keys in _batches(events, batch, status="failed", next_attempt_at=None):
        failed.update(**columns)
        _runs(failed).handled(keys)
        Handling.objects.using(failed.db).bulk_create(
            Handling(event_id=key, who=who, reason=reason) for key in keys
        )
        count += len(keys)
    return count


def undo(events: "QuerySet[Event]", *, who: str) -> int:
    """Let the handled ones of these events be failed again; return how many."""
    columns = {"status": "failed", "handled_by": "", "handled_reason": ""}
    count = 0
    for handled, keys in _batches(events, _BATCH, status="handled"):
        handled.update(**columns)
        _runs(handled).unhandled(keys)
        noted = Handling.objects.using(handled.db).filter(event__in=keys, undone_at=None)
        noted.update(undone_by=who[:_WHO_LENGTH], undone_at=timezone.now())
        count += len(keys)
    return count


def _runs(events: "QuerySet[Event]") -> Any:
    """Return all receiver runs. Their module imports this one, so it cannot be imported here."""
    return events.model._meta.get_field("runs").related_model._default_manager.using(events.db)


def _batches(
    events: "QuerySet[Event]", size: int, **state: Any
) -> "Iterator[tuple[QuerySet[Event], list[int]]]":
    """Yield the events in this state, and their keys: locked, each batch in a transaction."""
    keys = list(events.order_by("pk").values_list("pk", flat=True))
    stored = events.model._default_manager.using(router.db_for_write(events.model))
    for start in range(0, len(keys), size):
        with own_transaction(stored.db):
            batch = stored.filter(pk__in=keys[start : start + size], **state)
            locked = list(batch.select_for_update().order_by("pk").values_list("pk", flat=True))
            yield stored.filter(pk__in=locked), locked
