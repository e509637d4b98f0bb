"""Redacting a body: the values of some keys are replaced, and every other byte stays.

It reads tokens, not JSON, so that it also works on a body that is cut, damaged, or has a key twice.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .body import KEYS_OF_EVENT
from .event_names import Names

REPLACEMENT = "(redacted)"
"""Takes the place of a text; what is no text becomes null."""

KEPT = Names(KEYS_OF_EVENT)
"""They are never redacted, however they are written."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_OPENS, _CLOSES = ("{", "["), ("}", "]")


def redact(body: bytes, names: Names) -> tuple[bytes, tuple[str, ...]]:
    """Return the body with the values of these keys replaced, and the paths of what was.

    A name is that of a key, at any depth, or a path from the top: ``FieldValues.email``.
    """
    encoding, errors = _encoding(body)
    text = body.decode(encoding, errors)
    redaction = _Redaction(text, names)
    redaction.run()
    if not redaction.paths:
        return body, ()
    return "".join(redaction.written()).encode(encoding, errors), tuple(redaction.paths)


def _encoding(body: bytes) -> tuple[str, str]:
    """Return how JSON reads these bytes; if it cannot, an encoding that loses none of them."""
    encoding = json.detect_encoding(body)
    try:
        body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        return "utf-8", "surrogateescape"
    return encoding, "surrogatepass"


@dataclass(slots=True)
class _Container:
    """An object or a list that is open."""

    path: str
    key: str | None = None
    """The key whose value comes next; None in a list."""


@dataclass(slots=True)
class _Redaction:
    text: str
    names: Names
    paths: dict[str, None] = field(default_factory=dict)
    """The paths of what was replaced, each once."""
    _replaced: list[tuple[int, int, str]] = field(default_factory=list)
    # A body that begins with a key, as one that was cut, is read as an object.
    _open: list[_Container] = field(default_factory=lambda: [_Container("")])

    def run(self) -> None:
        """Find what is to be replaced."""
        tokens = list(_TOKEN.finditer(self.text))
        position = 0
        while position < len(tokens):
            position = self._read(tokens, position)

    def written(self) -> Iterator[str]:
        """Yield the parts of the new text."""
        end = 0
        for start, stop, replacement in self._replaced:
            yield self.text[end:start]
            yield replacement
            end = stop
        yield self.text[end:]

    def _read(self, tokens: list[re.Match[str]], position: int) -> int:
        """Read one key, one value or one mark; return the position of the next."""
        mark, here = tokens[position][0], self._open[-1]
        if mark[0] == '"' and position + 1 < len(tokens) and tokens[position + 1][0] == ":":
            here.key = _unquoted(mark)
            return position + 2
        if mark == ",":
            here.key = None
        elif mark in _CLOSES:
            if len(self._open) > 1:
                self._open.pop()
                self._open[-1].key = None
        elif here.key is not None and self._is_meant(here):
            return self._replace(tokens, position)
        elif mark in _OPENS:
            self._open.append(_Container(_path(here)))
        return position + 1

    def _is_meant(self, here: _Container) -> bool:
        path = _path(here)
        if path in KEPT:
            return False
        return (here.key or "") in self.names or path in self.names

    def _replace(self, tokens: list[re.Match[str]], position: int) -> int:
        """Replace the value that begins here; return the position of what follows it."""
        here = self._open[-1]
        last = _end_of_value(tokens, position)
        start, stop = tokens[position].start(), tokens[last].end()
        is_text = tokens[position][0][0] == '"'
        replacement = json.dumps(REPLACEMENT) if is_text else "null"
        if self.text[start:stop] != replacement:
            self._replaced.append((start, stop, replacement))
            self.paths[_path(here)] = None
        here.key = None
        return last + 1


def _path(here: _Container) -> str:
    return ".".join(filter(None, (here.path, here.key)))


def _unquoted(token: str) -> str:
    """Return the text of a token, which JSON may write with escapes."""
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token.strip('"')


def _end_of_value(tokens: list[re.Match[str]], position: int) -> int:
    """Return the position of the last token of a value; the last of all if it is not closed."""
    depth = 0
    for at in range(position, len(tokens)):
        mark = tokens[at][0]
        depth += (mark in _OPENS) - (mark in _CLOSES)
        if depth == 0:
            return at
    return len(tokens) - 1
