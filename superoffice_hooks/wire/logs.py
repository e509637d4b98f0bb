"""Loggers that keep text from outside inside its line, and whose records have fields.

A line break in the name of an endpoint would begin a line that looks like one of ours, and an
escape sequence would change the terminal on which a log is read.
"""

import logging
from typing import Any

from . import log_fields, tracebacks
from .values import one_line

_LONGEST_LINE = 1000
_MAX_LINES = 500


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module: it escapes what no line should have, and adds fields."""
    logger = logging.getLogger(name)
    logger.addFilter(_LINES)
    return logger


class _Lines(logging.Filter):
    """Escapes messages and tracebacks where that is needed, and adds the fields of a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        log_fields.add_to(record)
        try:
            message = record.getMessage()
        # A handler reports that; here it would come out of the call that logs.
        except Exception:
            return True
        if len(message) > _LONGEST_LINE or not message.isprintable():
            record.msg, record.args = one_line(message, _LONGEST_LINE), ()
        if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
            # Formatters use this text instead of making their own.
            record.exc_text = _indented(record.exc_info)
        return True


_LINES = _Lines()


def _indented(exc_info: Any) -> str:
    """Return a traceback of which no line begins like a line of the log."""
    _kind, error, frames = exc_info
    lines = tracebacks.whole(error, frames).rstrip("\n").split("\n")
    return "\n".join("  " + one_line(line, _LONGEST_LINE) for line in lines[-_MAX_LINES:])
