"""A filter whose value is typed: suggestions instead of a list of hundreds of links."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from ...models import Event
from ..reach import Reaching


class TypedFilter(Reaching, admin.SimpleListFilter):
    """Offers names to type, and links where there are only a few of them."""

    parameter_name: str
    template = "admin/superoffice_hooks/event/typed_filter.html"
    LINKS = 6

    @property
    def is_on(self) -> bool:
        return bool(self.text)

    @property
    def text(self) -> str:
        """What is asked for, as it is to be compared."""
        return (self.value() or "").strip()

    def names(self, request: HttpRequest) -> Iterable[str]:
        """The names to suggest, in any order."""
        raise NotImplementedError

    def narrow(self, events: QuerySet[Event]) -> QuerySet[Event]:
        """The events with the value asked for."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices; what is asked for is one of them, even if no event has it any more."""
        names = {*self.names(request), self.text} - {""}
        return [(name, name) for name in sorted(names)]

    def has_output(self) -> bool:
        """Always: that no suggestion is known is no reason to drop what was asked."""
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return self.narrow(queryset) if self.is_on else queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """What the template needs: the names to choose from, and the list's other parameters."""
        names = [name for name, _ in self.lookup_choices]
        yield {
            "parameter": self.parameter_name,
            "value": self.value() or "",
            "is_on": self.is_on,
            "names": names,
            "links": [
                (name, changelist.get_query_string({self.parameter_name: name}))
                for name in (names if len(names) <= self.LINKS else ())
            ],
            "others": others(changelist, *self.parameters),
            "without": changelist.get_query_string(remove=self.parameters),
        }

    @property
    def parameters(self) -> list[str]:
        """The parameters of the URL that are this filter's."""
        return [self.parameter_name]


def others(changelist: ChangeList, *own: str) -> list[tuple[str, str]]:
    """The parameters that survive a change of those of one filter."""
    gone = {PAGE_VAR, *own}
    return [
        (key, value)
        for key, values in changelist.filter_params.items()
        if key not in gone
        for value in values
    ]
