"""What really goes to a database: BEGIN and COMMIT too, which Django's own count leaves out."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import Any

CAN_TRACE = ("sqlite", "postgresql")


@dataclass
class Trace:
    statements: list[str] = field(default_factory=list)
    round_trips: int = 0
    """Zero on SQLite, which is no server."""


@contextmanager
def traced(connection: Any) -> Iterator[Trace]:
    """Everything that a connection sends in the block; known when the block has ended."""
    connection.ensure_connection()
    trace = Trace()
    if connection.vendor == "sqlite":
        connection.connection.set_trace_callback(trace.statements.append)
        try:
            yield trace
        finally:
            connection.connection.set_trace_callback(None)
        return
    with TemporaryFile("w+") as file:
        connection.connection.pgconn.trace(file.fileno())
        try:
            yield trace
        finally:
            connection.connection.pgconn.untrace()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        wire = file.read()
    # libpq's format: time, F (sent) or B (received), length, kind, content. The server says once
    # per round trip that it is ready again.
    # Time limits go along in the text of the statement that they are for.
    sent = r'\tF\t\d+\t(?:Query|Parse)\t.*?"(?:SET LOCAL [^;]*; )*([^"\n]{0,60})'
    trace.statements = re.findall(sent, wire)
    trace.round_trips = len(re.findall(r"\tB\t\d+\tReadyForQuery", wire))
