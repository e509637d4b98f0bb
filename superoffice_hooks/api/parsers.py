"""Bodies of requests: JSON, and nothing else."""

from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """A JSON parser that answers 400 for bodies nested too deeply."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """Return the value of the body."""
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
