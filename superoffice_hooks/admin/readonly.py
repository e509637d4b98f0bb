"""The base of the ModelAdmins. Their rows can only be viewed: nobody changes what has arrived."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import DataError, connections, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse

from ..wire.values import storable_text

_M = TypeVar("_M", bound=Model)
_WITHOUT_TITLES = ("unfold", "jazzmin")
"""Looks of the admin that show no titles of pages."""

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
else:

    class _ModelAdmin(admin.ModelAdmin):
        """A ModelAdmin that takes a type parameter, as it does in django-stubs."""

        def __class_getitem__(cls, model: type[Model]) -> type:
            return cls


def may_replay(request: HttpRequest) -> bool:
    """Return whether the user has the permission to replay, and to cancel a replay."""
    return request.user.has_perm("superoffice_hooks.replay_event")


class RowList(ChangeList):
    """A list that reads only what it shows, and accepts any query string."""

    model_admin: "ReadOnlyAdmin[Any]"

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the filters without NUL characters: PostgreSQL raises for them."""
        filters: dict[str, list[str]] = super().get_filters_params(params)
        return {key: [storable_text(value) for value in values] for key, values in filters.items()}

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Return the rows without their large columns: a page of bodies may have 100 MB."""
        return super().get_queryset(*args, **kwargs).defer(*self.model_admin.list_defer)

    def get_results(self, request: HttpRequest) -> None:
        """Read the page. A value that no column can have is a wrong filter, as others are."""
        try:
            super().get_results(request)
        except (ValueError, OverflowError, DataError) as error:
            raise IncorrectLookupParameters(error) from error


class ReadOnlyAdmin(_ModelAdmin[_M]):
    """View permission shows the rows; no permission changes them."""

    # Both would count all rows.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_defer: ClassVar[Sequence[str]] = ()
    """Columns that the list does not read."""
    max_selected = 10_000
    """How many rows an action takes: their keys are listed in one query, and in a replay's row."""

    class Media:
        css: ClassVar[dict[str, Sequence[str]]] = {
            "all": ["superoffice_hooks/admin.css", "superoffice_hooks/lists.css"]
        }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: _M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: _M | None = None) -> bool:
        return False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may view these rows, and call receivers for old deliveries.

        That is to replay events, to mark them as handled, and to parse rejections again.
        """
        return self.has_view_permission(request) and may_replay(request)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> _M | None:
        """Return a row. An empty ``_to_field`` counts as none: no column has an empty name."""
        return super().get_object(request, object_id, from_field or None)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RowList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse an action that is not allowed, which Django would ignore."""
        if request.method == "POST":
            ours = {*request.POST.getlist("action")} & {*(self.actions or ())}
            if ours - self.get_actions(request).keys():
                raise PermissionDenied
        return super().changelist_view(request, extra_context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: _M | None = None,
    ) -> HttpResponse:
        """Add ``page_context`` to the page of a row."""
        if obj:
            context |= self.page_context(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def page_context(self, request: HttpRequest, row: _M) -> dict[str, Any]:
        """Return what the template of a row's page needs besides its columns."""
        return {}

    def page(
        self,
        route: str,
        view: Callable[..., HttpResponse],
        is_allowed: Callable[[HttpRequest], bool],
        *,
        methods: Sequence[str] = ("GET", "HEAD", "POST"),
        is_atomic: bool = True,
    ) -> URLPattern:
        """Return the URL pattern of a page that Django's admin does not have.

        The view is called with this ModelAdmin and the request. The last part of the route is the
        last part of the pattern's name.
        """

        def checked(request: HttpRequest, **arguments: Any) -> HttpResponse:
            if not is_allowed(request):
                raise PermissionDenied
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            return view(self, request, **arguments)

        # Keeps the view out of the transaction that ATOMIC_REQUESTS opens.
        for alias in () if is_atomic else connections:
            checked = transaction.non_atomic_requests(alias)(checked)
        part = route.strip("/").rpartition("/")[2].replace("-", "_")
        name = f"{self.opts.app_label}_{self.opts.model_name}_{part}"
        return path(route, self.admin_site.admin_view(checked), name=name)

    def render(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        """Return a page that Django's admin does not have."""
        request.current_app = self.admin_site.name
        shared = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "may_view": self.has_view_permission(request),
            "is_untitled": any(map(apps.is_installed, _WITHOUT_TITLES)),
        }
        return TemplateResponse(request, f"admin/superoffice_hooks/{template}", shared | context)

    def visible(self, request: HttpRequest, model: type[Model] | None = None) -> Any:
        """Return the rows that this site shows to the user; None if it hides none of them.

        They are rows of another model, if one is named.
        """
        if model and not self.admin_site.is_registered(model):
            return None
        model_admin = self.admin_site.get_model_admin(model) if model else self
        visible = model_admin.get_queryset(request)
        return visible if visible.query.where else None

    def with_filters(self, request: HttpRequest, url: str) -> str:
        """Return a URL with the filters of the list that the user came from."""
        filters = self.get_preserved_filters(request)
        return add_preserved_filters({"preserved_filters": filters, "opts": self.opts}, url)

    def url(self, page: str, *arguments: object) -> str:
        """Return the URL of a page of this app; empty if its model is not registered here."""
        name = f"admin:{self.opts.app_label}_{page}"
        try:
            return reverse(name, args=arguments, current_app=self.admin_site.name)
        except NoReverseMatch:
            return ""
