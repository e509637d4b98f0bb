"""Filters of the list that are made from the rows of the criteria."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from ...models import Event
from ...replay.criteria import TABLE, Criteria, narrow
from ...replay.criterion import Criterion
from ...replay.value_kinds import Flag, Text, Word
from ..look_back import EventFilter

YES_NO = {"yes": "true", "no": "false"}


def value_of(row: Criterion, text: str) -> Any:
    """Return the value of a criterion from the list's parameter; ValueError if it is invalid."""
    text = YES_NO.get(text, "") if isinstance(row.kind, Flag) else text
    if not row.many:
        return row.kind.parse(text)
    # The names of fields may have commas.
    texts = [text] if isinstance(row.kind, Text) else text.split(",")
    return tuple(map(row.kind.parse, texts))


class RowFilter(EventFilter, admin.SimpleListFilter):
    """A filter by one criterion."""

    row: ClassVar[Criterion]
    parameter_name: str

    def __init_subclass__(cls, row: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if row:
            cls.row = TABLE[row]
            cls.title = cls.row.label
            cls.parameter_name = cls.row.parameters[0]

    @property
    def text(self) -> str:
        """Return the value of the parameter."""
        return (self.value() or "").strip()

    @property
    def is_on(self) -> bool:
        return bool(self.text)

    def criteria(self) -> Criteria:
        """Return the filter as criteria; ValueError if the value is invalid."""
        return Criteria(**{self.row.name: value_of(self.row, self.text)})

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        if not self.is_on:
            return queryset
        try:
            events, keys = narrow(self.criteria(), queryset)
        except ValueError:
            return queryset.none()
        self.is_narrow = keys is not None
        return events


class ChoiceFilter(RowFilter):
    """A filter with a fixed set of choices."""

    template = "admin/superoffice_hooks/event/choice_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        if isinstance(self.row.kind, Flag):
            choices = zip(YES_NO, self.row.words, strict=True)
            return [(value, word) for value, word in choices if word]
        return cast("Word", self.row.kind).choices


class LinkFilter(RowFilter):
    """A filter that the page shows only while a link uses it."""

    template = "admin/superoffice_hooks/event/link_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [(self.text, self.text)]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        return super().choices(changelist) if self.is_on else iter(())
