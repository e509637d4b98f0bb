"""The changed fields of an event: which, what they mean, and what was in them."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from .. import conf
from .changes import ChangedField, ChangeSet

if TYPE_CHECKING:
    from ..dictionary import FieldDescription
    from ..fieldvalues import FieldValues

_FEW = 1000
"""No more keys than this are given to a query one by one."""

_Row = TypeVar("_Row", bound="WithFields", covariant=True)  # noqa: PLC0105  (shorter)


class Change(NamedTuple):
    """A field before and after an event."""

    before: Any
    after: Any
    known: bool
    """Whether SuperOffice told both. It sends no free text, and not every field."""


class FieldsQuerySet(models.QuerySet[_Row]):
    """Events by the fields they say changed."""

    def changed(self, *names: str, entity: str | None = None) -> Self:
        """Events whose list of changed fields has any of these names: ``changed("priority")``.

        Case does not count. Events with an empty list (unknown) are not among them. Asks the
        database at once, in one small query, which change sets have the names.
        """
        fields = ChangedField.objects.using(self.db).filter(name__in=[n.lower() for n in names])
        if entity is not None:
            fields = fields.filter(entity=entity.lower())
        change_sets = ChangeSet.objects.using(self.db).filter(fields__in=fields).distinct()
        # Given the keys, databases know how frequent the events are, and so whether to look them up
        # or to walk down from the newest; given a subquery, they guess, and may walk to the end.
        keys = list(change_sets.values_list("pk", flat=True)[: _FEW + 1])
        return self.filter(change_set__in=keys if len(keys) <= _FEW else change_sets)


class WithFields(models.Model):
    """What an Event knows of its changed fields."""

    payload = models.JSONField(_("payload"))
    change_set = models.ForeignKey(
        ChangeSet,
        verbose_name=_("change set"),
        null=True,
        on_delete=models.PROTECT,
        related_name="%(class)ss",
    )

    # Columns of the other parts of an Event.
    entity: Any
    action: Any

    class Meta:
        abstract = True

    @property
    def changes(self) -> tuple[str, ...]:
        """The names of the changed fields, case and order as sent. Empty means unknown."""
        from ..notification import changed_names  # noqa: PLC0415  (no process needs it to start)

        return changed_names(self.payload)

    @property
    def significant_changes(self) -> tuple[str, ...]:
        """The changed fields without noise: the record's own key, and NOISE_FIELDS."""
        noise = conf.noise_of(self.entity)
        return tuple(name for name in self.changes if name not in noise)

    @property
    def is_noise(self) -> bool:
        """Whether the record was changed in nothing but noise.

        An unknown change is none, and neither is what says more than "changed": sale.sold,
        contact.softdeleted.
        """
        return self.action == "changed" and bool(self.changes) and not self.significant_changes

    @property
    def changed_fields(self) -> "tuple[FieldDescription, ...]":
        """The changed fields in the order sent, each with its label, description and type."""
        from .. import dictionary  # noqa: PLC0415  (no process needs it to start)

        return tuple(dictionary.describe(self.entity, name) for name in self.changes)

    @cached_property
    def field_values(self) -> "FieldValues":
        """The values SuperOffice sent along, decoded: ``event.field_values["Priority"]``.

        Names compare without case; ``.raw`` has the values as sent. Empty before SuperOffice 11.1.
        """
        from ..fieldvalues import FieldValues  # noqa: PLC0415  (no process needs it to start)

        return FieldValues.of(self.payload)


def compare(before: WithFields | None, after: WithFields) -> dict[str, Change]:
    """What the changed fields of one event were in another; of unknown ones, those that differ."""
    old: Mapping[str, Any] = before.field_values if before else {}
    new = after.field_values
    changes = {
        name: Change(old.get(name), new.get(name), known=name in old and name in new)
        for name in after.changes or new
    }
    if after.changes:
        return changes
    return {name: change for name, change in changes.items() if _differs(change)}


def _differs(change: Change) -> bool:
    return change.known and change.before != change.after
