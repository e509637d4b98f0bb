"""The webhooks at SuperOffice: what the looks at those of WEBHOOKS saw last."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db.models import Max, Q

from .. import conf
from ..models import Watch

MAX_WEBHOOKS = 100


class Watched(NamedTuple):
    """What was seen of the webhook of one endpoint."""

    endpoint: str
    newest: Watch | None
    """The newest watch; None if nobody has looked."""
    known: Watch | None
    """The newest watch that knew the state."""

    @property
    def is_unknown(self) -> bool:
        """Return whether the last look did not learn the state."""
        return self.newest is not None and self.newest.state == Watch.State.UNKNOWN

    @property
    def is_down(self) -> bool:
        """Return whether nothing is delivered, as far as is known."""
        return self.known is not None and self.known.is_down

    @property
    def differs(self) -> bool:
        """Return whether it delivers, and is not as it is wanted."""
        if self.known is None or self.is_down:
            return False
        return self.known.state != Watch.State.ACTIVE or bool(self.known.differences)


def watched(endpoints: Iterable[str] | None = None) -> list[Watched]:
    """Return what was seen of the webhooks of these endpoints; by default, of WEBHOOKS.

    Two queries; none if no webhook is wanted. Index: superoffice_watch_endpoint.
    """
    names = list(_wanted() if endpoints is None else endpoints)[:MAX_WEBHOOKS]
    if not names:
        return []
    rows = Watch.objects.filter(endpoint__in=names).exclude(state=Watch.State.SAVING)
    newest = (
        rows.order_by()
        .values("endpoint")
        .annotate(newest=Max("pk"), known=Max("pk", filter=~Q(state=Watch.State.UNKNOWN)))
    )
    keys = {row["endpoint"]: (row["newest"], row["known"]) for row in newest}
    known = Watch.objects.in_bulk({key for pair in keys.values() for key in pair if key})
    return [Watched(name, *(known.get(key) for key in keys.get(name, (0, 0)))) for name in names]


def _wanted() -> Iterable[str]:
    webhooks: Any = conf.current().WEBHOOKS
    return sorted(map(str, webhooks)) if isinstance(webhooks, Mapping) else ()
