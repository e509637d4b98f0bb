"""What a help desk keeps of SuperOffice's events.

Several tenants number their records alike, so a record is known by its tenant and its number.
"""

from typing import ClassVar

from django.db import models


class Ticket(models.Model):
    """A request in SuperOffice Service, as far as we heard of it."""

    tenant = models.CharField(max_length=100)
    number = models.BigIntegerField()
    changed_at = models.DateTimeField(null=True, blank=True)
    needs_attention = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "number"], name="desk_ticket_once"),
        ]

    def __str__(self) -> str:
        return f"Ticket {self.number} of {self.tenant}"


class PriorityChange(models.Model):
    """A ticket that got another priority, by somebody other than our robot."""

    event_id = models.UUIDField(unique=True)
    tenant = models.CharField(max_length=100)
    ticket = models.BigIntegerField()
    before = models.IntegerField(null=True)
    """Null if SuperOffice did not send it."""
    after = models.IntegerField(null=True)

    def __str__(self) -> str:
        return f"Ticket {self.ticket} of {self.tenant}: {self.before} to {self.after}"


class WithdrawnItem(models.Model):
    """An item of a SuperOffice list that must not be offered any more."""

    tenant = models.CharField(max_length=100)
    list_name = models.CharField(max_length=100)
    number = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "list_name", "number"], name="desk_withdrawnitem_once"
            ),
        ]

    def __str__(self) -> str:
        return f"Item {self.number} of {self.list_name}"


class ExchangeRate(models.Model):
    """What a currency of SuperOffice's currency list is worth."""

    currency_id = models.PositiveIntegerField(unique=True)
    per_euro = models.DecimalField(max_digits=12, decimal_places=6)

    def __str__(self) -> str:
        return f"Currency {self.currency_id}: {self.per_euro} per euro"


class Commission(models.Model):
    """What the help desk gets for a sale, in the currency of the sale."""

    tenant = models.CharField(max_length=100)
    sale = models.BigIntegerField()
    currency_id = models.PositiveIntegerField()
    amount = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "sale"], name="desk_commission_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} for sale {self.sale} of {self.tenant}"
