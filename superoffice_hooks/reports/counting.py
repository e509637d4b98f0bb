"""Counting several things in one query."""

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import IntegerField, QuerySet, Subquery


class Counted(Subquery):
    """The number of rows of a query, which may be sliced."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


class ComposedOnce:
    """A query for one row, whose SQL is composed the first time and used again.

    Django needs longer to compose a dozen counts than a database needs to count. The conditions
    must be constants, since they are part of the SQL.

    Args:
        build: returns the query.
        is_constant: whether its parameters are the same at any time, on a connection; where they
            are not, it is composed each time.
    """

    def __init__(
        self,
        build: Callable[[], QuerySet[Any, dict[str, Any]]],
        is_constant: Callable[[BaseDatabaseWrapper], bool] = lambda connection: True,
    ) -> None:
        self._build = build
        self._is_constant = is_constant
        self._composed = dict[str, tuple[str, Any, list[str], Any]]()

    def first_row(self, using: str) -> dict[str, Any]:
        """Return the first row, by the names of its columns; none if there is no row."""
        connection = connections[using]
        if using not in self._composed or not self._is_constant(connection):
            self._composed[using] = self._compose(using)
        text, parameters, names, converters = self._composed[using]
        with connection.cursor() as cursor:
            cursor.execute(text, parameters)
            row = cursor.fetchone()
        values = list(row or ())
        for number, (convert, expression) in converters.items() if values else ():
            for converter in convert:
                values[number] = converter(values[number], expression, connection)
        return dict(zip(names, values, strict=False))

    def _compose(self, using: str) -> tuple[str, Any, list[str], Any]:
        compiler: Any = self._build()[:1].query.get_compiler(using)
        text, parameters = compiler.as_sql()
        expressions = [expression for expression, _, _ in compiler.select]
        names = [alias for _, _, alias in compiler.select]
        return text, parameters, names, compiler.get_converters(expressions)
