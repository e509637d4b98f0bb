"""What SuperOffice sends in the five weeks of ``weekend``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

TICKET = 527331
NORD, VEST, SOUTH = "Cust31038", "Cust26759", "Cust40112"
CONFLICT = VEST
"""The customer whose tickets meet a unique constraint."""
UNKNOWN_CURRENCY = 36
ROBOT = 99
SILENT_SINCE = 0.2
"""Which share of the weekend was over when the endpoint "partner" fell silent."""

DESK, PARTNER = "Help desk", "Partner portal"


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened in SuperOffice."""

    at: datetime
    name: str
    primary_key: int
    tenant: str = NORD
    changes: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    associate: int = 104
    endpoint: str = "default"

    @property
    def webhook(self) -> str:
        """Return the name of the webhook that delivers it."""
        return PARTNER if self.endpoint == "partner" else DESK


NAMES = {
    "ticket.changed": 62,
    "ticket.created": 10,
    "contact.changed": 10,
    "person.changed": 7,
    "sale.changed": 6,
    "y_equipment.changed": 3,
    "sale.sold": 1,
    "list.category.softdeleted": 1,
}
CHANGES: dict[str, tuple[tuple[str, ...], ...]] = {
    "ticket.changed": (
        ("priority", "last_changed"),
        ("category", "priority", "last_changed", "alert_level"),
        ("ticket_status", "status", "closed_at", "last_changed"),
        ("owned_by", "last_changed"),
        ("ticket_status", "status", "last_changed", "read_by_owner"),
        ("deadline", "alert_level", "last_changed"),
        (),
    ),
    "contact.changed": (("name", "orgnr", "updated"), ("number1", "updated")),
    "person.changed": (("title", "updated"), ("phone_present", "updated", "email")),
    "sale.changed": (("amount", "probability", "updated"),),
    "sale.sold": (("status", "amount", "updated"),),
    "y_equipment.changed": (("x_serial", "x_warranty_until"),),
    "list.category.softdeleted": (("Category_id", "deleted", "rank"),),
}


def ordinary(random: Random, at: datetime, silent_since: datetime) -> News:
    """Return something that happens every day."""
    (name,) = random.choices(list(NAMES), list(NAMES.values()))
    entity = name.partition(".")[0]
    changes = random.choice(CHANGES.get(name, ((),)))
    values: dict[str, Any] = {}
    if "priority" in changes:
        values["priority"] = random.randint(1, 4)
    if name == "sale.sold":
        values["currency_id"] = random.choice([1, 1, 1, 2, 2, UNKNOWN_CURRENCY])
    partner = name == "contact.changed" and at < silent_since
    return News(
        at=at,
        name=name,
        primary_key=random.randrange(400_000, 402_500) if entity == "ticket" else _number(random),
        tenant=random.choices([NORD, VEST, SOUTH], [7, 1, 2])[0],
        changes=changes,
        values=values,
        associate=random.choice([104, 104, 22, 31, 57, ROBOT]),
        endpoint="partner" if partner else "default",
    )


def of_partner(now: datetime) -> Iterator[News]:
    """Yield what the endpoint "partner" hears every hour of the four weeks before this one."""
    for hours in range(1, 25):
        for weeks in range(1, 5):
            at = now - timedelta(weeks=weeks, hours=hours)
            yield News(at, "contact.changed", 1204, changes=("name", "updated"), endpoint="partner")


def of_weekend(at: Callable[[float], datetime]) -> Iterator[News]:
    """Yield what every weekend has, even with a small number of events."""
    priority, *_ = CHANGES["ticket.changed"]
    # A customer asks about this ticket: its priority rises while the board is down.
    yield News(at(0.01), "ticket.created", TICKET)
    for share, value in ((0.02, 2), (0.5, 3)):
        values = {"priority": value}
        yield News(at(share), "ticket.changed", TICKET, changes=priority, values=values)
    for share in (0.1, 0.2, 0.3):
        values = {"currency_id": UNKNOWN_CURRENCY}
        yield News(at(share), "sale.sold", 871, SOUTH, ("status", "updated"), values)
        yield News(at(share), "ticket.changed", 402_600, SOUTH, priority, {"priority": 1})
    for number, share in enumerate((0.4, 0.5, 0.6)):
        yield News(at(share), "ticket.changed", 402_601 + number, CONFLICT, ("owned_by",))
    for share in (0.975, 0.98, 0.985):
        yield News(at(share), "ticket.changed", 402_604, changes=("owned_by",))
    # SuperOffice has ended the webhook of the partner.
    ended = {"events": 1, "state": 3}
    yield News(at(SILENT_SINCE), "webhook.errors", 66, values=ended, associate=0)


def _number(random: Random) -> int:
    return random.randrange(1000, 3000)
