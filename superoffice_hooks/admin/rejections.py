"""Deliveries that made no event: refused ones, and signed ones that could not be read."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Rejection
from ..models.delivery import in_words
from . import display, parse_again
from .readonly import ReadOnlyAdmin


class RecentFilter(admin.SimpleListFilter):
    """A filter by the top values of a column, counted in the newest rejections.

    There is no limit to the number of verified rejections, nor of their reasons.
    """

    NEWEST = 1000
    MAX_CHOICES = 20

    parameter_name: str
    """Also the name of the column."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the values, and the chosen one even if no rejection has it any more."""
        column = self.parameter_name
        rows = model_admin.get_queryset(request).order_by("-pk")
        older = rows.values_list("pk", flat=True)[self.NEWEST :].first()
        recent = rows.filter(pk__gt=older or 0).order_by().values_list(column)
        frequent = recent.annotate(count=Count("pk")).order_by("-count", column)[: self.MAX_CHOICES]
        values = [value for value, _count in frequent]
        chosen = self.value() or ""
        shown = dict.fromkeys([*values, chosen])
        return [(value, self.label(value)) for value in shown if value]

    def label(self, value: str) -> str:
        """Return what the filter calls a value."""
        return display.line(value)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Rejection]) -> QuerySet[Rejection]:
        """Return the rejections with the chosen value."""
        value = self.value()
        return queryset.filter(**{self.parameter_name: value}) if value else queryset


class ReasonFilter(RecentFilter):
    """A filter by reason."""

    title = _("reason")
    parameter_name = "reason"

    def label(self, value: str) -> str:
        return display.line(in_words(value))


class EndpointFilter(RecentFilter):
    """A filter by endpoint. Anybody can invent endpoints, so the choices are limited too."""

    title = _("endpoint")
    parameter_name = "endpoint"


class RejectionAdmin(ReadOnlyAdmin[Rejection]):
    """What was refused, and what was signed but could not be read."""

    list_display = ("received", "reason_word", "verified_word", "endpoint_shown", "remote_addr")
    list_filter = ("verified", ReasonFilter, EndpointFilter, "received_at")
    list_defer = ("headers", "body")
    # Each may have a body of MAX_BODY_BYTES, which is parsed.
    max_selected = 1000
    actions = ("parse_again",)
    search_fields = ("remote_addr", "reason")
    search_help_text = _("A remote address, or words of the reason")
    fields = (
        "received",
        "reason_word",
        "verified_word",
        "endpoint_shown",
        "remote_addr",
        "headers_kept",
        "body_kept",
    )

    received = display.time_column("received_at", _("received"))
    endpoint_shown = display.text_column("endpoint", _("endpoint"), ordering="endpoint")

    def get_urls(self) -> list[URLPattern]:
        view, is_allowed = parse_again.view, self.has_replay_permission
        return [
            self.page("<int:pk>/parse-again/", view, is_allowed, methods=["POST"]),
            *super().get_urls(),
        ]

    @admin.action(description=_("Parse selected rejections again"), permissions=["replay"])
    def parse_again(
        self, request: HttpRequest, queryset: QuerySet[Rejection]
    ) -> HttpResponse | None:
        return parse_again.parse_selected(self, request, queryset)

    def page_context(self, request: HttpRequest, rejection: Rejection) -> dict[str, Any]:
        """Return whether the rejection may be parsed again."""
        may = rejection.verified and self.has_replay_permission(request)
        return {"may_parse_again": may, "head_bytes": Rejection.objects.HEAD_BYTES}

    @admin.display(description=_("reason"), ordering="reason")
    def reason_word(self, rejection: Rejection) -> SafeString:
        # A signed delivery without an event needs a person; a refused one does not.
        word = display.visible(in_words(rejection.reason))
        return display.status("failed" if rejection.verified else "refused", word)

    @admin.display(description=_("verified"), ordering="verified")
    def verified_word(self, rejection: Rejection) -> str:
        return gettext("verified") if rejection.verified else gettext("not verified")

    @admin.display(description=_("headers"))
    def headers_kept(self, rejection: Rejection) -> str:
        return display.headers(rejection.headers) or gettext("none")

    @admin.display(description=_("body"))
    def body_kept(self, rejection: Rejection) -> SafeString:
        """Return the body; of an unsigned one, only the head is kept."""
        return display.text(rejection.body)
