"""How values look. Most of them come from outside, so they leave here escaped."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

_HEAD_BYTES = 4096
_FIRST_CHIPS = 3
_MOST_CHIPS = 100
_LONG_JSON = 2 * 1024 * 1024

# Control characters but line feed and tab, marks that reorder the text around them, and surrogates,
# which no response can encode: a body must not look like another one.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def at(moment: datetime | None) -> str:
    """A moment to the second, for deliveries are a second apart."""
    if moment is None:
        return ""
    return date_format(localtime(moment) if is_aware(moment) else moment, "Y-m-d H:i:s")


def moment(column: str, description: "_StrPromise") -> Callable[[Any, Model], str]:
    """A column of an admin that shows the moment in a column of the row."""

    @admin.display(description=description, ordering=column)
    def shown(model_admin: "admin.ModelAdmin[Any]", row: Model) -> str:
        return at(getattr(row, column)) or model_admin.get_empty_value_display()

    return shown


def status(value: str, word: str) -> SafeString:
    """A status or outcome: the word says it, colour helps to find it."""
    return format_html('<span class="superoffice-status superoffice-{}">{}</span>', value, word)


def text(value: str | bytes | memoryview) -> SafeString:
    """Text as it is, whatever is in it; what cannot be seen or decoded becomes an escape."""
    if not isinstance(value, str):
        value = bytes(value).decode(errors="backslashreplace")
    visible = _INVISIBLE.sub(lambda found: ascii(found.group())[1:-1], value)
    # The focus is for people who scroll with the keyboard.
    return format_html('<pre class="superoffice-text" tabindex="0">{}</pre>', visible)


def head(body: bytes | memoryview) -> SafeString:
    """The start of a body, where a page may have many of them."""
    shown = text(bytes(body[:_HEAD_BYTES]))
    if len(body) <= _HEAD_BYTES:
        return shown
    cut = gettext("The first %(head)d of %(all)d bytes.") % {"head": _HEAD_BYTES, "all": len(body)}
    return format_html("{}<p>{}</p>", shown, cut)


def as_json(value: Any) -> SafeString:
    """A JSON value, indented unless that makes it monstrous."""
    indented = json.dumps(value, indent=2, ensure_ascii=False)
    # Thirty levels of indent make thirty megabytes out of one.
    return text(indented if len(indented) < _LONG_JSON else json.dumps(value, ensure_ascii=False))


def lines(values: Iterable[object]) -> SafeString:
    """One value a line."""
    return format_html_join("", "<div>{}</div>", ((value,) for value in values))


def codes(names: Iterable[str]) -> SafeString:
    """Names from SuperOffice's database, side by side."""
    return format_html_join(" ", '<code class="superoffice-code">{}</code>', ((n,) for n in names))


def chips(names: Sequence[str]) -> SafeString:
    """The first names, and how many more there are; those open without JavaScript."""
    shown = [Truncator(name).chars(60) for name in names[:_MOST_CHIPS]]
    first, others = codes(shown[:_FIRST_CHIPS]), shown[_FIRST_CHIPS:]
    if not others:
        return first
    if len(names) > _MOST_CHIPS:
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
    """The headers that were kept, as they would stand in a request."""
    return lines(f"{name}: {value}" for name, value in kept.items())
