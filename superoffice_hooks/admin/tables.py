"""Tables of figures, which the template ``overview/table.html`` shows."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString

from . import display


class Cell(NamedTuple):
    """A value, with a link if there is a page to show for it."""

    value: Any
    url: str = ""
    is_right: bool = False
    """Whether it stands on the right, as numbers do, though it is a text."""

    @property
    def shown(self) -> Any:
        """Return the value; of a text from outside, what cannot be seen is visible."""
        is_text = isinstance(self.value, str) and not isinstance(self.value, SafeString)
        return display.bounded(self.value) if is_text else self.value

    @property
    def is_number(self) -> bool:
        """Return whether the value is aligned to the right."""
        return self.is_right or isinstance(self.value, int)


class Table(NamedTuple):
    """Rows under a heading; the first cell of a row is its name."""

    id: str
    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = ""
    """What is shown if there is no row."""
    help: str = ""
    is_wide: bool = False
    """Whether it takes the whole width of the page."""

    def heads(self) -> list[tuple[str, bool]]:
        """Return the name of each column, and whether it has numbers."""
        row = self.rows[0]
        return [(words, cell.is_number) for words, cell in zip(self.columns, row, strict=True)]

    def labelled(self) -> Iterator[list[tuple[Cell, str]]]:
        """Yield the rows, each cell with the name of its column; empty if it is hidden."""
        labels = ["" if isinstance(words, SafeString) else words for words in self.columns]
        for row in self.rows:
            yield list(zip(row, labels, strict=True))


def bar(count: int, highest: int) -> Cell:
    """Return a drawing of a share."""
    drawing = format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" class="superoffice-bar" viewBox="0 0 100 10"'
        ' preserveAspectRatio="none" aria-hidden="true"><rect width="{}" height="10"/></svg>',
        round(100 * count / highest),
    )
    return Cell(drawing)


def hidden(words: str) -> SafeString:
    """Return words for screen readers."""
    return format_html('<span class="visually-hidden">{}</span>', words)
