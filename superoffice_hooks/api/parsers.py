"""Bodies of requests: JSON, and nothing else."""

from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """JSON, also such as Python cannot read for its depth."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """The value of the body.

        Raises:
            ParseError: it is no JSON, or too deep to be asked of us.
        """
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
