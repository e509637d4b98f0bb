"""A filter whose value is typed: suggestions instead of a list of hundreds of links."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.http import HttpRequest

from ..display import visible
from .rows import RowFilter


class TypedFilter(RowFilter):
    """A filter that suggests names, and links to them if there are no more than LINKS."""

    template = "admin/superoffice_hooks/event/typed_filter.html"
    LINKS = 6

    def names(self, request: HttpRequest, model_admin: Any) -> Iterable[str]:
        """Return the names to suggest, in any order: those of events that the user may see."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices; the current value is one of them, even if no event has it."""
        names = {*self.names(request, model_admin), self.text} - {""}
        return [(name, name) for name in sorted(names)]

    def has_output(self) -> bool:
        """Return True: without suggestions, Django would ignore the filter."""
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield what the template needs: the names, and the list's other parameters."""
        names = [name for name, _ in self.lookup_choices]
        yield {
            "parameter": self.parameter_name,
            "value": self.value() or "",
            "is_on": self.is_on,
            "names": names,
            "links": [
                (name, visible(name), changelist.get_query_string({self.parameter_name: name}))
                for name in (names if len(names) <= self.LINKS else ())
            ],
            "others": others(changelist, *self.parameters),
            "without": changelist.get_query_string(remove=self.parameters),
        }

    @property
    def parameters(self) -> list[str]:
        """Return the parameters of the URL that belong to this filter."""
        return [self.parameter_name]


def others(changelist: ChangeList, *own: str) -> list[tuple[str, str]]:
    """Return the parameters that are kept when those of one filter change."""
    gone = {PAGE_VAR, *own}
    return [
        (key, value)
        for key, values in changelist.filter_params.items()
        if key not in gone
        for value in values
    ]
