"""Rows: those that the filters leave, a page at a time, or one; of each what is asked for."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from ..reaching import Asked, Page, page
from .base import View
from .filters import Filtering, ReceivedFilterSet
from .pagination import CursorPagination
from .problems import wrong, wrong_form
from .serializers import RowSerializer

FIELDS = OpenApiParameter(
    "fields",
    {"type": "array", "items": {"type": "string"}},
    explode=False,
    description="The fields wanted, with commas between; all of them, if left out.",
)


class Choosing(View):
    """Gives a view ``?fields=``: what is left out is not read either."""

    parameters = (FIELDS.name,)

    def chosen(self) -> list[str]:
        """The fields asked for, all if none are.

        Raises:
            ValidationError: one of them is none.
        """
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
        """The rows, with what the fields asked for are made of, and nothing else."""
        return self.row_serializer().rows(self.get_queryset(), self.chosen())

    def row_serializer(self) -> type[RowSerializer]:
        """The class of the serializer."""
        found = self.get_serializer_class()
        assert issubclass(found, RowSerializer)  # noqa: S101  (for the type checker)
        return found


class Pages(Choosing, ListAPIView[Any]):
    """Rows, a page at a time."""

    pagination_class = CursorPagination
    paginator: CursorPagination

    @extend_schema(parameters=[FIELDS])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        # Before anything is looked for.
        self.chosen()
        return self.paged(self.asked())

    def asked(self) -> Asked:
        """The rows that are asked for."""
        raise NotImplementedError

    def paged(self, asked: Asked) -> Response:
        """The page of them that is asked for, in the order of receipt."""
        pages = self.paginator
        pages.begin(self.request, number_of_moments=len(asked.columns) - 1)
        return self.answer(page(asked, pages.place, older=pages.older, size=pages.size))

    def answer(self, found: Page) -> Response:
        """The rows of a page. Unless they were pruned this instant."""
        keys = self.paginator.show(found)
        rows = self.rows().in_bulk(keys)
        shown = [rows[key] for key in keys if key in rows]
        serializer: BaseSerializer[Any] = self.get_serializer(shown, many=True)
        return self.paginator.get_paginated_response(serializer.data)


class List(Pages):
    """What filters leave of a table in the order of receipt."""

    filter_backends = (Filtering,)
    filterset_class: type[ReceivedFilterSet]

    def asked(self) -> Asked:
        """The rows that the filters leave.

        Raises:
            ValidationError: the value of one is not what was expected.
        """
        filterset = self.filterset_class(self.request.query_params, self.get_queryset())
        if not filterset.is_valid():
            raise wrong_form(filterset)
        self.paginator.newest_first = filterset.newest_first
        return filterset.asked()


class Detail(Choosing, RetrieveAPIView[Any]):
    """One row."""

    @extend_schema(parameters=[FIELDS])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_object(self) -> Any:
        row = get_object_or_404(self.rows(), pk=self.kwargs["pk"])
        self.check_object_permissions(self.request, row)
        return row
