"""Deliveries that made no event."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import Rejection
from . import showing
from .readonly import ReadOnlyAdmin


class RejectionAdmin(ReadOnlyAdmin[Rejection]):
    """What was refused, and what was signed but could not be read."""

    list_display = ("received", "reason", "endpoint", "verified", "remote_addr")
    list_filter = ("verified", "received_at")
    list_defer = ("headers", "body")
    search_fields = ("reason", "endpoint")
    fields = (
        "received",
        "reason",
        "endpoint",
        "verified",
        "remote_addr",
        "headers_kept",
        "body_kept",
    )

    received = showing.moment("received_at", _("received"))

    @admin.display(description=_("headers"))
    def headers_kept(self, rejection: Rejection) -> SafeString:
        return showing.headers(rejection.headers)

    @admin.display(description=_("body"))
    def body_kept(self, rejection: Rejection) -> SafeString:
        """The body, of which only the head is kept if nobody signed it."""
        return showing.text(rejection.body)
