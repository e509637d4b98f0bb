"""Secrets that do not show, and texts without them."""

import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from ..wire.values import one_line

MAX_TEXT = 500
"""How much of a text of SuperOffice is shown, in characters."""

SHORTEST_SECRET = 4
"""Shorter ones are none: a header with the value 1 must not hide each 1."""

_HIDDEN = "[hidden]"
# Tickets, access tokens, JSON web tokens, and headers that carry a secret.
_TELLTALE = re.compile(
    r"\b[78]A?T?:[\w.+/=-]{6,}"
    r"|\beyJ[\w.-]{10,}"
    r"|(?:SOTicket|Bearer|Basic)\s+\S+"
    r"|(?:set-cookie|cookie|authorization|so-apptoken|x-superoffice-signature)\s*:[^\r\n]*",
    re.IGNORECASE,
)


class Secret:
    """A text that shows in no repr, log, traceback or error report."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def reveal(self) -> str:
        """Return the text. Keep it in no variable of a function that can raise."""
        return self._value


NO_SECRET = Secret("")


def redacted(text: object, secrets: Iterable[Secret] = ()) -> str:
    """Return a text of SuperOffice in one line, shortened, without secrets."""
    shown = str(text)
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    # The longest first: one may be a part of another.
    for spelling in sorted(spellings, key=len, reverse=True):
        shown = shown.replace(spelling, _HIDDEN)
    # Not before: half of a secret at the cut would stay.
    shown = shown[: 20 * MAX_TEXT]
    return one_line(" ".join(_TELLTALE.sub(_HIDDEN, shown).split()), MAX_TEXT)


def _spellings(secret: Secret) -> Iterator[str]:
    """Yield a secret as it may stand in HTML, in a URL, in JSON, or as it is."""
    text = secret.reveal()
    if len(text) < SHORTEST_SECRET:
        return
    yield text
    yield html.escape(text)
    yield quote(text, safe="")
    yield json.dumps(text)[1:-1]
