"""No unique key: a receiver that ran twice must show."""

from django.db import models


class Arrival(models.Model):
    """One call of a receiver that was committed."""

    event_id = models.UUIDField(db_index=True)
    receiver = models.CharField(max_length=50)
    replay_id = models.BigIntegerField(null=True)
    key = models.BigIntegerField(null=True)
    """The primary key of the event's record."""

    def __str__(self) -> str:
        return f"{self.receiver} {self.event_id}"
