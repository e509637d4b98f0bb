"""A row of the table of criteria."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from ..models.paging.conditions import Condition, Where
from .value_kinds import ValueKind


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """A row of the table: what a criterion means, and how each door names it."""

    name: str = ""
    """The name in Python, and in the criteria that a replay stores."""
    kind: ValueKind
    help: str
    label: Any
    many: int = 0
    """How many values it may have; 0 means that it is no list."""
    test: str | Callable[[Any], list[Condition]]
    """The look-up of a column, or a function that returns conditions."""
    index: tuple[str, ...] = ()
    """The columns of an index that finds the events with one value."""
    key: str = ""
    """The key in JSON and the URL parameter of the API. Default: the name."""
    option: str = ""
    """The option of the command. Default: the key."""
    parameters: tuple[str, ...] = ()
    """The URL parameters of the admin's list, the preferred one first. Default: the name."""
    words: Any = None
    """A sentence with ``%(when)s`` or ``%(count)d``. Of a flag: the words for true and false."""
    selects: bool = True
    """Whether it selects events. If not, it only leaves out some that other criteria select."""
    default: Any = None
    """The value that means that the criterion is not set."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """The doors (``admin``, ``api``, ``command``) that do not offer it, each with the reason."""

    def conditions(self, criteria: Any) -> list[Condition]:
        """Return the conditions on events."""
        if not isinstance(self.test, str):
            return self.test(criteria)
        value = getattr(criteria, self.name)
        return [Where(Q(**{self.test: value}), self.index)] if self.test else []


def row(kind: ValueKind, help: str, *, label: Any, empty: Any = None, **columns: Any) -> Any:  # noqa: A002
    """Return a field of Criteria with its row of the table."""
    empty = () if columns.get("many") else kind.empty if empty is None else empty
    metadata = {"row": Criterion(kind=kind, help=help, label=label, default=empty, **columns)}
    return field(default=empty, metadata=metadata)
