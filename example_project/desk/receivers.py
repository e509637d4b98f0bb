"""What the help desk does when something happens in SuperOffice.

Events come in no particular order, and a replay calls a receiver again for the same event. So each
of these leaves the same rows, however often it is called, and after any other.
"""

from decimal import Decimal
from typing import Any

from django.dispatch import receiver

from superoffice_hooks.exceptions import GiveUp
from superoffice_hooks.models import Event
from superoffice_hooks.signals import on, sale_sold, ticket_changed, ticket_created

from .models import Commission, ExchangeRate, PriorityChange, Ticket, WithdrawnItem

COMMISSION_IN_EUROS = Decimal(50)


@receiver(ticket_created)
def open_ticket(event: Event, **kwargs: Any) -> None:
    Ticket.objects.get_or_create(tenant=event.tenant, number=event.primary_key or 0)


@receiver(ticket_changed)
def follow_ticket(event: Event, **kwargs: Any) -> None:
    ticket, _ = Ticket.objects.get_or_create(tenant=event.tenant, number=event.primary_key or 0)
    if ticket.changed_at is None or event.happened_at > ticket.changed_at:
        ticket.changed_at = event.happened_at
    ticket.save()


# Also called if SuperOffice does not say which fields changed: better once too often.
@receiver(ticket_changed, fields={"priority", "alert_level", "deadline"})
def flag_ticket(event: Event, **kwargs: Any) -> None:
    ticket, _ = Ticket.objects.get_or_create(tenant=event.tenant, number=event.primary_key or 0)
    ticket.needs_attention = True
    ticket.save()


# Our own robot sets priorities too; nobody needs to know.
@receiver(ticket_changed, fields="priority", unknown_changes="skip", ignore_own=True)
def note_priority(event: Event, changes: tuple[str, ...], **kwargs: Any) -> None:
    (priority,) = changes
    before, after, known = event.diff()[priority]
    if not known or before != after:
        PriorityChange.objects.get_or_create(
            event_id=event.event_id,
            defaults={
                "tenant": event.tenant,
                "ticket": event.primary_key or 0,
                "before": before,
                "after": after,
            },
        )


@receiver(on("list.*.softdeleted"))
def withdraw_item(event: Event, **kwargs: Any) -> None:
    WithdrawnItem.objects.get_or_create(
        tenant=event.tenant, list_name=event.entity, number=event.primary_key or 0
    )


@receiver(sale_sold)
def pay_commission(event: Event, **kwargs: Any) -> None:
    currency_id = event.field_values["currency_id"]
    rate = ExchangeRate.objects.filter(currency_id=currency_id).first()
    if rate is None:
        # Trying again will not help. The admin shows the reason.
        raise GiveUp(
            f"Currency {currency_id} has no exchange rate. Add it under Help desk, Exchange rates,"
            " and replay this event."
        )
    Commission.objects.update_or_create(
        tenant=event.tenant,
        sale=event.primary_key or 0,
        defaults={"currency_id": currency_id, "amount": COMMISSION_IN_EUROS * rate.per_euro},
    )
