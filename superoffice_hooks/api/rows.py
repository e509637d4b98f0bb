"""Views of rows: a filtered list in pages, or one row, with the chosen fields."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from ..models.paging.pages import Listing, Page, page
from .base import View
from .filters import FilterBackend, ReceivedFilterSet
from .pagination import CursorPagination
from .problems import wrong, wrong_form
from .serializers.rows import RowSerializer

FIELDS = OpenApiParameter(
    "fields",
    {"type": "array", "items": {"type": "string"}},
    explode=False,
    description="The fields to read, separated by commas; default: all.",
)


class FieldsView(View):
    """A view with ``?fields=``; it reads only the chosen fields."""

    parameters = (FIELDS.name,)

    def chosen(self) -> list[str]:
        """Return the chosen fields; all by default."""
        known = list(self.row_serializer().names())
        text = self.request.query_params.get(FIELDS.name, "").strip()
        if not text:
            return known
        names = {name.strip() for name in text.split(",")} - {""}
        if not names or names - set(known):
            raise wrong(FIELDS.name, f"Expected some of {', '.join(known)}, with commas between.")
        return [name for name in known if name in names]

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "chosen": self.chosen()}

    def rows(self) -> QuerySet[Any]:
        """Return the rows with the columns of the chosen fields only."""
        return self.row_serializer().rows(self.get_queryset(), self.chosen())

    def row_serializer(self) -> type[RowSerializer]:
        """Return the class of the serializer."""
        serializer = self.get_serializer_class()
        assert issubclass(serializer, RowSerializer)  # noqa: S101  (for the type checker)
        return serializer


class Pages(FieldsView, ListAPIView[Any]):
    """Rows, a page at a time."""

    pagination_class = CursorPagination
    paginator: CursorPagination

    @extend_schema(parameters=[FIELDS])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.chosen()  # refuses unknown fields before the search
        return self.paged(self.listing())

    def listing(self) -> Listing:
        """Return the rows to page through."""
        raise NotImplementedError

    def paged(self, listing: Listing) -> Response:
        """Answer with a page of them, in the order of receipt."""
        pages = self.paginator
        pages.begin(self.request, number_of_times=len(listing.columns) - 1)
        return self.answer(page(listing, pages.place, older=pages.older, size=pages.size))

    def answer(self, page: Page) -> Response:
        """Answer with the rows of a page, without those that have been pruned since."""
        keys = self.paginator.show(page)
        rows = self.rows().in_bulk(keys)
        shown = [rows[key] for key in keys if key in rows]
        serializer: BaseSerializer[Any] = self.get_serializer(shown, many=True)
        return self.paginator.get_paginated_response(serializer.data)


class List(Pages):
    """The filtered rows of a table, in the order of receipt."""

    filter_backends = (FilterBackend,)
    filterset_class: type[ReceivedFilterSet]

    def listing(self) -> Listing:
        """Return the rows that pass the filters."""
        filterset = self.filterset_class(self.request.query_params, self.get_queryset())
        if not filterset.is_valid():
            raise wrong_form(filterset)
        self.paginator.newest_first = filterset.newest_first
        return filterset.listing()


class Detail(FieldsView, RetrieveAPIView[Any]):
    """One row."""

    @extend_schema(parameters=[FIELDS])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_object(self) -> Any:
        row = get_object_or_404(self.rows(), pk=self.kwargs["pk"])
        self.check_object_permissions(self.request, row)
        return row
