"""Give the log records of receivers the fields that ours have."""

import logging

from ..wire import log_fields


class LogFields(logging.Filter):
    """Adds our fields to each record that is logged during a delivery or a dispatch.

    Add it to handlers: the filter of a logger does not see the records of loggers below it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        log_fields.add_to(record)
        return True
