"""Secrets that do not show, and texts without them."""

import re
from collections.abc import Iterable

from ..wire.values import one_line

MAX_TEXT = 500
"""How much of a text of SuperOffice is shown, in characters."""

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
    shown = str(text)[: 20 * MAX_TEXT]
    # The longest first: one may be a part of another.
    for secret in sorted(filter(None, secrets), key=lambda s: len(s.reveal()), reverse=True):
        shown = shown.replace(secret.reveal(), _HIDDEN)
    return one_line(" ".join(_TELLTALE.sub(_HIDDEN, shown).split()), MAX_TEXT)
