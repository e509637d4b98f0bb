"""Deliveries that made no event: what was refused, and what was signed but could not be read."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..models import Rejection
from . import showing
from .parse_again import ParsingAgain
from .readonly import ReadOnlyAdmin


class RecentFilter(admin.SimpleListFilter):
    """Offers what a column of the newest rejections has, the most frequent first.

    Verified rejections are not bounded in number, and what they say is wrong differs endlessly.
    """

    NEWEST = 1000
    MOST = 20

    parameter_name: str
    """The column, too."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices; what is asked for is one of them, even if no rejection has it any more."""
        column = self.parameter_name
        rows = Rejection.objects.order_by("-pk")
        older = rows.values_list("pk", flat=True)[self.NEWEST :].first()
        recent = rows.filter(pk__gt=older or 0).order_by().values_list(column)
        frequent = recent.annotate(count=Count("pk")).order_by("-count", column)[: self.MOST]
        values = [value for value, _count in frequent]
        asked = self.value()
        return [(value, value) for value in dict.fromkeys([*values, asked or ""]) if value]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Rejection]) -> QuerySet[Rejection]:
        """The rejections with the value asked for."""
        value = self.value()
        return queryset.filter(**{self.parameter_name: value}) if value else queryset


class ReasonFilter(RecentFilter):
    """By reason."""

    title = _("reason")
    parameter_name = "reason"


class EndpointFilter(RecentFilter):
    """By endpoint; anybody can make one up, so the list is as short as of the reasons."""

    title = _("endpoint")
    parameter_name = "endpoint"


class RejectionAdmin(ParsingAgain, ReadOnlyAdmin[Rejection]):
    """What was refused, and what was signed but could not be read."""

    list_display = ("received", "reason_word", "verified_word", "endpoint", "remote_addr")
    list_filter = ("verified", ReasonFilter, EndpointFilter, "received_at")
    list_defer = ("headers", "body")
    search_fields = ("remote_addr", "reason")
    search_help_text = _("A remote address, or words of the reason")
    fields = (
        "received",
        "reason_word",
        "verified_word",
        "endpoint",
        "remote_addr",
        "headers_kept",
        "body_kept",
    )

    received = showing.moment("received_at", _("received"))

    def page_context(self, request: HttpRequest, rejection: Rejection) -> dict[str, Any]:
        """What can be done about it."""
        may = rejection.verified and self.has_parse_again_permission(request)
        return {"may_parse_again": may, "head_bytes": Rejection.objects.HEAD_BYTES}

    @admin.display(description=_("reason"), ordering="reason")
    def reason_word(self, rejection: Rejection) -> SafeString:
        # What was signed and is no event wants a person; what was refused is as it should be.
        return showing.status("failed" if rejection.verified else "refused", rejection.reason)

    @admin.display(description=_("verified"), ordering="verified")
    def verified_word(self, rejection: Rejection) -> str:
        return gettext("verified") if rejection.verified else gettext("not verified")

    @admin.display(description=_("headers"))
    def headers_kept(self, rejection: Rejection) -> str:
        return showing.headers(rejection.headers) or gettext("none")

    @admin.display(description=_("body"))
    def body_kept(self, rejection: Rejection) -> SafeString:
        """The body, of which only the head is kept if nobody signed it."""
        return showing.text(rejection.body)
