"""Send events to the running project, as SuperOffice does."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from itertools import count
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management import CommandError, call_command

from superoffice_hooks.models import Event
from superoffice_hooks.testing import Attempt, NotSaved, SuperOffice, Webhook, notification

from .models import ExchangeRate
from .scenes import Outcome, Scene, outcome_of, watched

DOCUMENTED = {
    "EventId": "1fc5752a-6de8-412d-847a-12d5529a0ec6",
    "Timestamp": "2018-04-24T08:13:02.8352175Z",
    "PrimaryKey": 527331,
    "ContextIdentifier": "Default",
    "ChangedByAssociateId": 37201,
}
"""What SuperOffice's documented ticket.created and ticket.changed have in common."""

CALLED_FOR_PRIORITIES = (
    "follow_ticket succeeded",
    "flag_ticket succeeded",
    "note_priority succeeded",
)


class Play:
    """What SuperOffice sends, in order."""

    def __init__(self, url: str, secret: str) -> None:
        self.superoffice = SuperOffice()
        self.webhook = Webhook(url=url, secret=secret, name="Example project")
        self.changed = notification("ticket.changed", **DOCUMENTED)
        self.urgent = notification(
            "ticket.changed",
            PrimaryKey=DOCUMENTED["PrimaryKey"],
            Changes=["priority", "last_changed"],
            FieldValues={"priority": 3},
        )
        self.sold = sale_in_an_unknown_currency()

    def scenes(self) -> Iterator[Scene]:
        yield self.webhook_is_saved()
        yield self.ticket_is_created()
        yield self.ticket_is_changed()
        yield self.delivery_is_retried()
        yield self.priority_is_changed()
        yield self.our_robot_changes_it_back()
        yield self.item_is_withdrawn()
        yield self.somebody_forges_a_delivery()
        yield self.sale_is_sold()
        yield self.rate_is_added_and_sale_replayed()

    def webhook_is_saved(self) -> Scene:
        def save() -> Attempt:
            try:
                return self.superoffice.save(self.webhook)
            except NotSaved as refusal:
                return refusal.attempt

        expected = Outcome(answer=200, stored_as="event (skipped)")
        return watched("test, for the new webhook", save, expected)

    def ticket_is_created(self) -> Scene:
        created = notification("ticket.created", **DOCUMENTED)
        expected = Outcome(
            answer=200, stored_as="event (succeeded)", receivers=("open_ticket succeeded",)
        )
        return self.delivered("ticket.created", created, expected)

    def ticket_is_changed(self) -> Scene:
        expected = Outcome(
            answer=200,
            stored_as="event (succeeded)",
            receivers=CALLED_FOR_PRIORITIES,
            changed_fields=47,
        )
        return self.delivered("ticket.changed", self.changed, expected)

    def delivery_is_retried(self) -> Scene:
        expected = Outcome(
            answer=200,
            stored_as="redelivery",
            receivers=CALLED_FOR_PRIORITIES,
            changed_fields=47,
        )
        return self.delivered("ticket.changed, retry 1", self.changed, expected, retry=1)

    def priority_is_changed(self) -> Scene:
        expected = Outcome(
            answer=200,
            stored_as="event (succeeded)",
            receivers=CALLED_FOR_PRIORITIES,
            changed_fields=2,
        )
        return self.delivered("ticket.changed, priority alone", self.urgent, expected)

    def our_robot_changes_it_back(self) -> Scene:
        """One receiver ignores what OWN_ASSOCIATES caused."""
        ours = self.urgent | {
            "EventId": str(uuid4()),
            "ChangedByAssociateId": settings.SUPEROFFICE_HOOKS["OWN_ASSOCIATES"]["Default"][0],
            "FieldValues": {"priority": 1},
        }
        expected = Outcome(
            answer=200,
            stored_as="event (succeeded)",
            receivers=CALLED_FOR_PRIORITIES[:-1],
            changed_fields=2,
        )
        return self.delivered("ticket.changed, by our robot", ours, expected)

    def item_is_withdrawn(self) -> Scene:
        withdrawn = notification("list.category.softdeleted", PrimaryKey=8)
        expected = Outcome(
            answer=200,
            stored_as="event (succeeded)",
            receivers=("withdraw_item succeeded",),
            changed_fields=len(withdrawn["Changes"]),
        )
        return self.delivered("list.category.softdeleted", withdrawn, expected)

    def somebody_forges_a_delivery(self) -> Scene:
        forger = Webhook(url=self.webhook.url, secret="a guess")
        return watched(
            "ticket.changed, wrongly signed",
            lambda: self.superoffice.attempt(forger, notification("ticket.changed")),
            Outcome(answer=401, stored_as="rejection (signature wrong)"),
        )

    def sale_is_sold(self) -> Scene:
        expected = Outcome(
            answer=200,
            stored_as="event (failed)",
            receivers=("pay_commission gave_up",),
            changed_fields=len(self.sold["Changes"]),
        )
        return self.delivered("sale.sold, without a rate", self.sold, expected)

    def rate_is_added_and_sale_replayed(self) -> Scene:
        """What somebody would do in the admin, with a form and a button."""
        ExchangeRate.objects.create(currency_id=currency_of(self.sold), per_euro=Decimal("7.46"))
        # A replay that fails complains; here the table will say so.
        with suppress(CommandError):
            call_command(
                "superoffice_replay",
                event_id=[self.sold["EventId"]],
                reason="The exchange rate is there now.",
                stdout=StringIO(),
                stderr=StringIO(),
            )
        event = Event.objects.filter(event_id=self.sold["EventId"]).first()
        expected = Outcome(
            stored_as="event (succeeded)",
            receivers=("pay_commission gave_up", "pay_commission succeeded"),
            changed_fields=len(self.sold["Changes"]),
        )
        actual = outcome_of(event) if event else Outcome(stored_as="nothing")
        return Scene("sale.sold, replayed after the fix", actual, expected)

    def another_sale_is_sold(self) -> int:
        """Leave a failure for the admin's pages: a currency without a rate."""
        sold = sale_in_an_unknown_currency()
        self.superoffice.attempt(self.webhook, sold)
        return currency_of(sold)

    def delivered(
        self, title: str, sent: dict[str, Any], expected: Outcome, retry: int = 0
    ) -> Scene:
        if Event.objects.filter(event_id=sent["EventId"], name=sent["Event"]).exists():
            # Played before, in a database that was kept.
            expected = replace(expected, stored_as="redelivery")
        return watched(
            title, lambda: self.superoffice.attempt(self.webhook, sent, retry=retry), expected
        )


def sale_in_an_unknown_currency() -> dict[str, Any]:
    """A sale.sold whose currency has no exchange rate yet."""
    known = set(ExchangeRate.objects.values_list("currency_id", flat=True))
    currency_id = next(number for number in count(36) if number not in known)
    return notification("sale.sold", PrimaryKey=18, FieldValues={"currency_id": currency_id})


def currency_of(sold: dict[str, Any]) -> int:
    return int(sold["FieldValues"]["currency_id"])
