"""The index of the queue."""

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models import Q


class QueueIndex(models.Index):
    """An index of the rows whose first column is not null; of all rows where that is not possible.

    Django leaves an index with a condition out on a database that knows none, as MariaDB.
    """

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Statement:
        """Return the statement that creates the index."""
        column = self.fields[0]
        partial = schema_editor.connection.features.supports_partial_indexes
        condition = Q(**{f"{column}__isnull": False}) if partial else None
        index = models.Index(fields=self.fields, name=self.name, condition=condition)
        return index.create_sql(model, schema_editor, using, **kwargs)
