"""Rows to look at: what arrived is evidence, so nobody adds, changes or deletes it here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from ..values import storable_text

_M = TypeVar("_M", bound=Model)

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
else:

    class _ModelAdmin(admin.ModelAdmin):
        """ModelAdmin takes a type parameter in django-stubs only."""

        def __class_getitem__(cls, model: type[Model]) -> type:
            return cls


class RowList(ChangeList):
    """A list that reads no more than it shows, and takes any query string."""

    model_admin: "ReadOnlyAdmin[Any]"

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The filters asked for. PostgreSQL raises for a NUL, which a URL may well have."""
        asked: dict[str, list[str]] = super().get_filters_params(params)
        return {key: [storable_text(value) for value in values] for key, values in asked.items()}

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """The rows without their bulky columns: a page of bodies may be a hundred megabytes."""
        return super().get_queryset(*args, **kwargs).defer(*self.model_admin.list_defer)


class ReadOnlyAdmin(_ModelAdmin[_M]):
    """View permission shows the rows; no permission changes them."""

    # Both count all rows, however few are shown.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_defer: ClassVar[Sequence[str]] = ()
    """Columns the list does not show and need not read."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: _M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: _M | None = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RowList

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: _M | None = None,
    ) -> HttpResponse:
        """The page of a row, with what ``page_context`` adds to its columns."""
        if obj:
            context |= self.page_context(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def page_context(self, request: HttpRequest, row: _M) -> dict[str, Any]:
        """What the template of a row's page needs beside its columns."""
        return {}
