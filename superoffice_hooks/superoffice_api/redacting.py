"""Keep secrets out of what is shown."""

import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from ..wire.values import one_line

MAX_TEXT = 500
"""How many characters of a text of SuperOffice are shown."""

SHORTEST_SECRET = 4
"""Shorter texts are not hidden: a header with the value 1 would hide each 1."""

_HIDDEN = "[hidden]"
# Tickets, access tokens, JSON web tokens, and headers that have a secret.
_LOOKS_SECRET = re.compile(
    r"\b[78]A?T?:[\w.+/=-]{6,}"
    r"|\beyJ[\w.-]{10,}"
    r"|(?:SOTicket|Bearer|Basic)\s+\S+"
    r"|(?:set-cookie|cookie|authorization|so-apptoken|x-superoffice-signature)\s*:[^\r\n]*",
    re.IGNORECASE,
)


class Secret:
    """A text that no repr, log, traceback or error report shows."""

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
    """Return a text that SuperOffice wrote, in one line, shortened, without secrets."""
    shown = str(text)
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    # The longest first: one may be a part of another.
    for spelling in sorted(spellings, key=len, reverse=True):
        shown = shown.replace(spelling, _HIDDEN)
    # Cut only now: earlier, the first half of a secret could be left at the end.
    shown = shown[: 20 * MAX_TEXT]
    return one_line(" ".join(_LOOKS_SECRET.sub(_HIDDEN, shown).split()), MAX_TEXT)


def _spellings(secret: Secret) -> Iterator[str]:
    """Yield a secret as it is, and as it is written in HTML, in a URL and in JSON."""
    text = secret.reveal()
    if len(text) < SHORTEST_SECRET:
        return
    yield text
    yield html.escape(text)
    yield quote(text, safe="")
    yield json.dumps(text)[1:-1]
