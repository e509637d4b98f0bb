"""The kinds of errors of a database, by the code of the error.

The class of an error does not say its kind. psycopg's error for a read-only server is an
``InternalError``, and mysqlclient's for a character that a column cannot hold is an
``OperationalError``. The codes are SQLSTATEs (PostgreSQL manual, appendix A), MySQL's and MariaDB's
error numbers, and SQLite's primary result codes.
"""

from enum import Enum
from typing import Any


class Kind(Enum):
    """The kind of an error."""

    GONE = "gone"
    """The connection is lost, or the server is read-only, shutting down, full or out of reach."""
    BUSY = "busy"
    """A lock or a statement took too long, or two transactions were in conflict."""
    SCHEMA = "schema"
    """A table or column is missing, or may not be used: migrations are running."""
    ROW = "row"
    """The database works and does not accept this row."""
    UNKNOWN = "unknown"


def kind_of(error: BaseException) -> Kind:
    """Return the kind of an error."""
    if (state := _sqlstate(error)) is not None:
        return _of_sqlstate(state)
    if (code := _sqlite_code(error)) is not None:
        return _of_sqlite(code, str(error))
    if (number := _mysql_number(error)) is not None:
        return _of_mysql(number)
    # Errors without a code: psycopg has no connection, or a text has a NUL.
    names = _class_names(error)
    if "Error" in names and not names.isdisjoint({"OperationalError", "InterfaceError"}):
        return Kind.GONE
    if "DataError" in names or isinstance(error, OverflowError | UnicodeError):
        return Kind.ROW
    return Kind.UNKNOWN


def is_away(error: BaseException) -> bool:
    """Return whether the same statement may succeed later, with the same row."""
    return kind_of(error) in (Kind.GONE, Kind.BUSY, Kind.SCHEMA)


def is_lost(error: BaseException) -> bool:
    """Return whether the connection broke, or the server ended it."""
    if (state := _sqlstate(error)) is not None:
        return state.startswith(("08", "57P")) or state in ("25P03", "25P04")
    if (number := _mysql_number(error)) is not None:
        return number in _MYSQL_LOST
    return _sqlite_code(error) is None and kind_of(error) is Kind.GONE


def is_victim(error: BaseException) -> bool:
    """Return whether the database undid a transaction because of a conflict with another one.

    The same transaction may succeed if it is repeated.
    """
    return _sqlstate(error) in ("40001", "40P01") or _mysql_number(error) in (1020, 1213)


def wants_fresh_connection(error: BaseException) -> bool:
    """Return whether the same statement may succeed on a new connection.

    A new connection may lead to another server. It has no old plans, and none of the settings that
    other code has left in the session: a search path, a role.
    """
    return kind_of(error) in (Kind.GONE, Kind.SCHEMA)


_STALE = ("0A000", "26000", "42P05")
"""A plan or a prepared statement is out of date, or belongs to another connection."""

_GONE_STATES = ("08", "25006", "25P03", "25P04", "28", "3D000", "53", "57P", "58", "XX")
_BUSY_STATES = ("55P03", "57014", "40001", "40P01", "55006")
_SCHEMA_STATES = ("42P01", "42703", "42501", "3F000", *_STALE)
_ROW_STATES = ("22", "23", "54")

_MYSQL_LOST = frozenset({0, *range(2000, 2056), 1053, *range(1077, 1081), *range(1158, 1162), 1927})
_MYSQL: dict[Kind, frozenset[int]] = {
    Kind.GONE: _MYSQL_LOST
    | {3, 1021, 1030, 1037, *range(1040, 1046), 1049, 1114, 1129, 1130, 1180, 1203, 1223, 1226}
    | {1290, 1698, 1792, 1836},
    Kind.BUSY: frozenset({1020, 1205, 1206, 1213, 1317, 1637, 1969, 3024}),
    Kind.SCHEMA: frozenset({1054, 1099, 1100, 1142, 1143, 1146, 1412}),
    Kind.ROW: frozenset({1048, 1062, 1118, 1153, 1264, 1265, 1266, 1267, 1292, 1300, 1364, 1366})
    | {1406, 1452, 1690, 4025},
}

_SQLITE: dict[Kind, frozenset[int]] = {
    Kind.GONE: frozenset({3, 7, 8, 10, 11, 13, 14, 15, 23, 26}),
    Kind.BUSY: frozenset({5, 6, 9, 17}),
    Kind.ROW: frozenset({18, 19, 20, 25}),
}
_SQLITE_ERROR = 1
_SQLITE_SCHEMA = ("no such table", "no such column", "has no column named")


def _sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error of psycopg 3 or 2."""
    for source in (error.__cause__, error):
        state: Any = getattr(source, "sqlstate", None) or getattr(source, "pgcode", None)
        if isinstance(state, str):
            return state
    return None


def _sqlite_code(error: BaseException) -> int | None:
    """Return SQLite's primary result code: the lowest eight bits of the code."""
    for source in (error.__cause__, error):
        code = getattr(source, "sqlite_errorcode", None)
        if isinstance(code, int):
            return code & 255
    return None


def _mysql_number(error: BaseException) -> int | None:
    """Return the error number of mysqlclient or PyMySQL, which is the first argument."""
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) and "Error" in _class_names(error) else None


def _class_names(error: BaseException) -> set[str]:
    """Return the names of an error's classes. Django and all drivers use the names of PEP 249."""
    return {kind.__name__ for kind in type(error).__mro__}


def _of_sqlstate(state: str) -> Kind:
    for kind, states in (
        (Kind.BUSY, _BUSY_STATES),
        (Kind.SCHEMA, _SCHEMA_STATES),
        (Kind.GONE, _GONE_STATES),
        (Kind.ROW, _ROW_STATES),
    ):
        if state.startswith(states):
            return kind
    return Kind.UNKNOWN


def _of_mysql(number: int) -> Kind:
    return next((kind for kind, numbers in _MYSQL.items() if number in numbers), Kind.UNKNOWN)


def _of_sqlite(code: int, message: str) -> Kind:
    if code == _SQLITE_ERROR and any(text in message for text in _SQLITE_SCHEMA):
        return Kind.SCHEMA
    return next((kind for kind, codes in _SQLITE.items() if code in codes), Kind.UNKNOWN)
