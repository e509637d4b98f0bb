"""How values are shown. They come from outside, so everything here is escaped."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

_HEAD_BYTES = 4096
_FIRST_CHIPS = 3
_MAX_CHIPS = 100
_LONG_JSON = 2 * 1024 * 1024

# What cannot be seen, reorders text, or cannot be encoded: one name must not look like another.
# Control characters except line feed and tab; format characters, fillers, variation selectors,
# spaces without width, tags, surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_PART = re.compile(r"[^._]*[._]|[^._]+")
NONE = mark_safe('<span class="superoffice-none">-</span>')
"""What a column of a list shows if there is nothing to show."""
_SHORT = 200
_WHOLE = 20_000
"""How many characters of one value can be opened. The payload has all of them."""


def local(time: datetime) -> datetime:
    """Return a time in the current time zone; as it is, if it has no zone."""
    return localtime(time) if is_aware(time) else time


def at(time: datetime | None) -> str:
    """Return a time to the second; deliveries are often a second apart."""
    return date_format(local(time), "Y-m-d H:i:s") if time else ""


def ago(time: datetime | None) -> str:
    """Return a time and how long ago it was; "never" for None."""
    if time is None:
        return gettext("never")
    return format_html(
        '<span class="superoffice-time">{}</span> <span class="superoffice-quiet">({})</span>',
        at(time),
        gettext("%(age)s ago") % {"age": timesince(time)},
    )


def time_column(column: str, description: "_StrPromise") -> Callable[[Any, Model], str]:
    """Return a display function for a column that has a time."""

    @admin.display(description=description, ordering=column)
    def shown(model_admin: "admin.ModelAdmin[Any]", row: Model) -> str:
        return at(getattr(row, column)) or model_admin.get_empty_value_display()

    return shown


def text_column(
    column: str, description: "_StrPromise", ordering: str | None = None
) -> Callable[[Any, Model], str]:
    """Return a display function for a column that has a text from outside."""

    @admin.display(description=description, ordering=ordering)
    def shown(model_admin: "admin.ModelAdmin[Any]", row: Model) -> str:
        return bounded(getattr(row, column)) or model_admin.get_empty_value_display()

    return shown


def status(value: str, word: str) -> SafeString:
    """Return a status or outcome: a word, with a colour that helps to find it."""
    return format_html('<span class="superoffice-status superoffice-{}">{}</span>', value, word)


def visible(value: str) -> str:
    """Return a text with escapes for what cannot be seen or reorders it."""
    return _INVISIBLE.sub(lambda match: ascii(match.group())[1:-1], value)


def is_visible(value: str) -> bool:
    """Return whether a text shows everything that it has."""
    return not _INVISIBLE.search(value)


def line(value: str, limit: int = _SHORT) -> str:
    """Return the start of a text on one line, visible."""
    # The rest of a huge text is not read.
    return Truncator(visible(" ".join(value[: limit * 4].split()))).chars(limit)


def breakable(name: str) -> SafeString:
    """Return a name that breaks after a dot or an underscore where a column is narrow."""
    return format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in _PART.findall(name)))


def bounded(value: str, limit: int = _SHORT) -> SafeString:
    """Return a text. A long one is cut, and opens with a click."""
    if len(value) <= limit:
        return format_html("{}", visible(value))
    cut = ""
    if len(value) > _WHOLE:
        numbers = {"head": _WHOLE, "all": len(value)}
        cut = gettext("The first %(head)d of %(all)d characters.") % numbers
    return format_html(
        '<details class="superoffice-long"><summary>{}</summary>{}{}</details>',
        line(value, limit),
        text(value[:_WHOLE]),
        cut,
    )


def text(value: str | bytes | memoryview) -> SafeString:
    """Return a text with escapes for what cannot be seen or decoded."""
    if not isinstance(value, str):
        value = bytes(value).decode(errors="backslashreplace")
    # The focus lets people scroll with the keyboard. A parser drops the first line feed.
    return format_html('<pre class="superoffice-text" tabindex="0">\n{}</pre>', visible(value))


def head(body: bytes | memoryview) -> SafeString:
    """Return the start of a body, for a page that may have many bodies."""
    shown = text(bytes(body[:_HEAD_BYTES]))
    if len(body) <= _HEAD_BYTES:
        return shown
    cut = gettext("The first %(head)d of %(all)d bytes.") % {"head": _HEAD_BYTES, "all": len(body)}
    return format_html("{}<p>{}</p>", shown, cut)


def json_text(value: Any) -> str:
    """Return a value as JSON, indented unless that makes it too long."""
    indented = json.dumps(value, indent=2, ensure_ascii=False)
    # With thirty levels, indents make 30 MB of 1 MB.
    return indented if len(indented) < _LONG_JSON else json.dumps(value, ensure_ascii=False)


def lines(values: Iterable[object]) -> SafeString:
    """Return one value per line."""
    shown = ((visible(str(value)),) for value in values)
    return format_html_join("", "<div>{}</div>", shown)


def sentences(*counts: tuple[int, str]) -> list[str]:
    """Return sentences about these numbers, without those about zero."""
    return [words % {"count": count} for count, words in counts if count]


def codes(names: Iterable[str]) -> SafeString:
    """Return names from SuperOffice's database, side by side."""
    shown = ((breakable(visible(name)),) for name in names)
    return format_html_join(" ", '<code class="superoffice-code">{}</code>', shown)


def chips(names: Sequence[str]) -> SafeString:
    """Return the first names, and the number of the others, which open with a click."""
    shown = [line(name, 60) for name in names[:_MAX_CHIPS]]
    first, others = codes(shown[:_FIRST_CHIPS]), shown[_FIRST_CHIPS:]
    if not others:
        return first
    if len(names) > _MAX_CHIPS:
        others.append("…")
    return format_html(
        '{} <details class="superoffice-more"><summary title="{}">+{}'
        '<span class="visually-hidden"> {}</span></summary> {}</details>',
        first,
        ", ".join(others),
        len(names) - _FIRST_CHIPS,
        gettext("more"),
        codes(others),
    )


def headers(kept: dict[str, str]) -> SafeString:
    """Return headers as in a request."""
    return lines(f"{name}: {value}" for name, value in kept.items())
