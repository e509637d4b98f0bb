"""No unique key: a receiver that ran twice must show."""

from django.db import models


class Arrival(models.Model):
    """One call of the receiver that was committed."""

    event_id = models.UUIDField(db_index=True)
    primary_key = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return str(self.event_id)
