"""A column for GUIDs."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class GuidField(models.UUIDField):  # type: ignore[type-arg]
    """A UUID of whatever bits: SuperOffice may send any GUID, and we keep the one it sent.

    MariaDB's own type refuses some (eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3: version 14 of a variant
    older than versions), so there the digits are kept as text.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "char(32)" if connection.vendor == "mysql" else super().db_type(connection)

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        value = super().get_db_prep_value(value, connection, prepared)
        return value.hex if connection.vendor == "mysql" and isinstance(value, UUID) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> UUID | None:
        return UUID(value) if isinstance(value, str) else value
