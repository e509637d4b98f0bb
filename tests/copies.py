"""Many rows like one: what a bound of a thousand is tested with."""

import uuid
from typing import Any, TypeVar

from django.db import models

_Row = TypeVar("_Row", bound=models.Model)


def copies(row: _Row, number: int, **values: Any) -> list[_Row]:
    """Store so many rows like a stored one, but for these values; a callable gets the number."""
    model = type(row)
    columns = {field.attname: getattr(row, field.attname) for field in model._meta.concrete_fields}
    del columns[model._meta.pk.attname]
    made = []
    for n in range(number):
        own = {name: value(n) if callable(value) else value for name, value in values.items()}
        if "event_id" in columns and isinstance(columns["event_id"], uuid.UUID):
            own = {"event_id": uuid.uuid4(), **own}
        made.append(model(**{**columns, **own}))
    return model._default_manager.bulk_create(made, batch_size=500)
