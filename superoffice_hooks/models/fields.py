"""The field types, the look-ups and the index of the models."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models import Q
from django.db.models.lookups import IContains, IExact, IStartsWith

from ..wire import event_names


def is_mariadb(connection: Any) -> bool:
    """Return whether a database is MariaDB, and not MySQL."""
    return bool(connection.vendor == "mysql" and connection.mysql_is_mariadb)


class IdentifierField(models.CharField):  # type: ignore[type-arg]
    """Text that equals only itself, also on MySQL and MariaDB.

    Their usual collations treat "Sales" and "sales", "bär" and "bar", "a" and "a " as equal. With
    them, the event of one endpoint would be a redelivery of another's.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        parameters: dict[str, Any] = {**super().db_parameters(connection)}
        if connection.vendor == "mysql":
            # Neither ignores spaces at the end. MariaDB has the first, MySQL the second.
            parameters["collation"] = (
                "utf8mb4_nopad_bin" if is_mariadb(connection) else "utf8mb4_0900_bin"
            )
        return parameters


class Matches(models.Lookup):
    """``name__matches="list.*.softdeleted"``: a pattern of names, in lower case as names are.

    LIKE is quick on every database, with any number of stars. A regular expression is not.
    """

    lookup_name = "matches"

    def get_prep_lookup(self) -> str:
        return "%".join(map(_escaped, event_names.parts(self.rhs)))

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        lhs, parameters = self.process_lhs(compiler, connection)
        return f"{lhs} LIKE %s ESCAPE '!'", (*parameters, self.rhs)


def _escaped(text: str) -> str:
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return text


class _WithoutCase(models.Lookup):
    """Lets a look-up ignore case, although the collation of the column does not."""

    def as_mysql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        sql, parameters = self.as_sql(compiler, connection)
        return f"{sql} COLLATE utf8mb4_unicode_ci", parameters


IdentifierField.register_lookup(Matches)
for _lookup in (IContains, IExact, IStartsWith):
    IdentifierField.register_lookup(type(_lookup.__name__, (_WithoutCase, _lookup), {}))


class GuidField(models.UUIDField):  # type: ignore[type-arg]
    """A UUID of any version: SuperOffice may send any GUID, and it is stored as it was sent.

    The type of MariaDB refuses some, such as eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3 (version 14, of
    an old variant). So there, the digits are stored as text.
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


class QueueIndex(models.Index):
    """An index of the rows whose first column is not null.

    On databases without partial indexes, such as MariaDB, it has all rows. A partial index of
    Django's would not be created there.
    """

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Statement:
        partial = schema_editor.connection.features.supports_partial_indexes
        condition = Q(**{f"{self.fields[0]}__isnull": False}) if partial else None
        index = models.Index(fields=self.fields, name=self.name, condition=condition)
        return index.create_sql(model, schema_editor, using, **kwargs)
