"""The filters of the event list.

Their choices are values that were really sent, since SuperOffice's vocabulary is open. They are
read from the newest events and from small tables.
"""

from django.contrib.admin import ListFilter

from ...replay.criteria import offered
from ...replay.criterion import Criterion
from ...replay.value_kinds import Flag
from .columns import (
    EndpointFilter,
    EntityFilter,
    GroupFilter,
    NameFilter,
    OwnFilter,
    StatusFilter,
    TenantFilter,
    WebhookFilter,
)
from .received import ReceivedFilter
from .related import ChangedFieldFilter, ReceiverFilter
from .rows import ChoiceFilter, LinkFilter, RowFilter

_WITH_A_CLASS: tuple[type[ListFilter], ...] = (
    StatusFilter,
    ReceivedFilter,
    ChangedFieldFilter,
    NameFilter,
    EntityFilter,
    TenantFilter,
    EndpointFilter,
    WebhookFilter,
    ReceiverFilter,
    OwnFilter,
    GroupFilter,
)
# ReceivedFilter has two criteria, and ReceiverFilter has one more than its row.
_COVERED = {"since", "until", "outcome"} | {
    one.row.name for one in _WITH_A_CLASS if issubclass(one, RowFilter)
}


def _filter_by(row: Criterion) -> type[RowFilter]:
    """Return a filter by a criterion that needs no class of its own."""
    base = ChoiceFilter if isinstance(row.kind, Flag) else LinkFilter
    return type(base.__name__, (base,), {}, row=row.name)


FILTERS: tuple[type[ListFilter], ...] = (
    *_WITH_A_CLASS,
    *(_filter_by(row) for row in offered("admin") if row.name not in _COVERED),
)
"""All filters, in the order of the page."""
