"""A column for names that are told apart by each character."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import IContains, IExact, IStartsWith

from .. import vocabulary


class IdentifierField(models.CharField):  # type: ignore[type-arg]
    """Text that equals only itself, on MySQL and MariaDB too.

    Their usual collations find "Sales" and "sales" equal, and "bär" and "bar", and "a" and "a ". So
    one endpoint's event would be another's redelivery, and one receiver's success another's.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        parameters: dict[str, Any] = {**super().db_parameters(connection)}
        if connection.vendor == "mysql":
            is_mariadb = connection.mysql_is_mariadb  # type: ignore[attr-defined]
            # These two do not pad either; each server knows one of them.
            parameters["collation"] = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
        return parameters


class Matches(models.Lookup):
    """``name__matches="list.*.softdeleted"``: a name pattern, in lower case as names are stored.

    LIKE, unlike a regular expression, gives up early on every database, however many stars there
    are.
    """

    lookup_name = "matches"

    def get_prep_lookup(self) -> str:
        return "%".join(map(_escaped, vocabulary.parts(self.rhs)))

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        lhs, parameters = self.process_lhs(compiler, connection)
        return f"{lhs} LIKE %s ESCAPE '!'", (*parameters, self.rhs)


def _escaped(text: str) -> str:
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return text


class _WithoutCase:
    """Lets a look-up ignore case where the column's collation does not."""

    def as_mysql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        sql, parameters = self.as_sql(compiler, connection)  # type: ignore[attr-defined]
        return f"{sql} COLLATE utf8mb4_unicode_ci", parameters


IdentifierField.register_lookup(Matches)
for _lookup in (IContains, IExact, IStartsWith):
    IdentifierField.register_lookup(type(_lookup.__name__, (_WithoutCase, _lookup), {}))
