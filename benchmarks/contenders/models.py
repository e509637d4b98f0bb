"""The tables that people make when they write the view themselves."""

from django.db import models


class RawDelivery(models.Model):
    """The floor's only table."""

    body = models.BinaryField()


class HandEvent(models.Model):
    event_id = models.UUIDField(unique=True)
    name = models.CharField(max_length=100)
    primary_key = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(auto_now_add=True)
    payload = models.JSONField()

    def __str__(self) -> str:
        return f"{self.name} {self.event_id}"


class HandField(models.Model):
    """A row for each field that changed."""

    event = models.ForeignKey(HandEvent, on_delete=models.CASCADE, related_name="fields")
    name = models.CharField(max_length=128, db_index=True)

    def __str__(self) -> str:
        return self.name


class Seen(models.Model):
    """What the receiver writes to: one row for each of some records."""

    times = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.times)


class Written(models.Model):
    """What the receiver of the dispatch contest inserts: one row for each call."""

    event = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.event)
