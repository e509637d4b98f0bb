"""Pages by cursor: each begins where the previous one ended, even if new rows come in."""

import base64
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from drf_spectacular.plumbing import append_meta
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from ..models import times
from ..models.paging.pages import LAST, Page, Place
from .problems import wrong


class Cursor(NamedTuple):
    """Where a page is: at a place, on its older or on its newer side."""

    place: Place
    older: bool

    def __str__(self) -> str:
        """Return an opaque text for a URL."""
        at = (time.isoformat() for time in self.place.times)
        text = "|".join(("older" if self.older else "newer", str(self.place.pk), *at))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, number_of_times: int) -> "Cursor":
        """Return the cursor that has this text.

        Raises:
            ValueError: no cursor has it, or one for another list.
        """
        if len(text) > 500:
            raise ValueError("too long")
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        side, pk, *at = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("|")
        place = Place(tuple(map(times.read, at)), int(pk))
        if side not in ("older", "newer") or not 0 <= place.pk <= LAST:
            raise ValueError("not of ours")
        if len(place.times) != number_of_times:
            raise ValueError("of another list")
        return cls(place, side == "older")


class CursorPagination(BasePagination):
    """Newest first, unless ``oldest_first``; links to the next page and to the previous one."""

    SIZE = 50
    MAX_SIZE = 500
    parameters: ClassVar[tuple[str, ...]] = ("cursor", "page_size")

    newest_first = True

    def begin(self, request: Request, number_of_times: int) -> None:
        """Read the parameters of the page.

        Raises:
            ValidationError: the size or the cursor is invalid.
        """
        self.url = request.build_absolute_uri()
        self.size = self._size(request.query_params.get("page_size"))
        text = request.query_params.get("cursor")
        try:
            self.cursor = Cursor.read(text, number_of_times) if text else None
        except (ValueError, OverflowError):
            raise wrong("cursor", "Expected a cursor that this list gave out, unchanged.") from None
        self.place = self.cursor.place if self.cursor else None
        self.older = self.cursor.older if self.cursor else self.newest_first

    def show(self, page: Page) -> list[int]:
        """Return the keys of the page in the order of the list, and make its links."""
        older = page.older and self._link(page.older, older=True)
        newer = page.newer and self._link(page.newer, older=False)
        self.next, self.previous = (older, newer) if self.newest_first else (newer, older)
        return page.keys if self.older is self.newest_first else page.keys[::-1]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = append_meta({"type": "string", "format": "uri"}, {"nullable": True})
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[Mapping[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "Where the page begins; `next` and `previous` have it.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "description": "The maximum number of rows on a page.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": self.MAX_SIZE,
                    "default": self.SIZE,
                },
            },
        ]

    def _size(self, text: str | None) -> int:
        if not text:
            return self.SIZE
        if text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= self.MAX_SIZE:
            return int(text)
        raise wrong("page_size", f"Expected a whole number from 1 to {self.MAX_SIZE}.")

    def _link(self, place: Place, *, older: bool) -> str:
        return str(replace_query_param(self.url, "cursor", str(Cursor(place, older))))
