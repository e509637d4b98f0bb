"""The fields of our log records, for the records of receivers too."""

import logging

from ..wire import log_fields


class LogFields(logging.Filter):
    """Adds the fields to each record that is logged while a delivery or an event is worked on.

    It is for handlers: the filter of a logger does not see the records of the loggers below it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        log_fields.add_to(record)
        return True
