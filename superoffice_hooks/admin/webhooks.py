"""Webhooks in the admin: what was seen of them at SuperOffice, and what was done by whom."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import Watch
from . import display, webhook_actions, webhook_facts, webhook_page
from .readonly import ReadOnlyAdmin


class WatchAdmin(ReadOnlyAdmin[Watch]):
    """One row for each change that a look saw, and for each action of a person."""

    list_display = ("page_link", "state_word", "ping_word", "done", "by", "first", "last")
    list_display_links = None
    list_filter = ("state", "action", "since")
    list_defer = ("differences", "actual", "reason", "last_error")
    search_fields = ("endpoint", "tenant", "who")
    search_help_text = _("A part of the endpoint, the tenant, the name of a person")
    fields = (
        "page_link",
        "tenant_name",
        "webhook",
        "state_word",
        "ping_word",
        ("done", "by"),
        ("first", "last"),
        "what_differs",
        "reason_text",
        ("total_calls", "total_errors", "consecutive_errors"),
        "error",
    )

    first = display.time_column("since", _("since"))
    last = display.time_column("looked_at", _("looked at"))
    tenant_name = display.text_column("tenant", _("tenant"))
    by = display.text_column("who", _("by"))
    reason_text = display.text_column("reason", _("reason"))
    error = display.text_column("last_error", _("last error"))

    def get_urls(self) -> list[URLPattern]:
        may_view, may_manage = self.has_view_permission, self.has_manage_permission
        page = self.page("<str:endpoint>/webhook/", webhook_page.view, may_view)
        # Outside of a transaction: it waits for an event that another process stores.
        actions = [
            self.page(
                f"<str:endpoint>/{name}/",
                partial(webhook_actions.view, action=name),
                may_manage,
                is_atomic=False,
            )
            for name in webhook_actions.ACTIONS
        ]
        return [page, *actions, *super().get_urls()]

    def has_manage_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may test, ping and activate webhooks."""
        may = request.user.has_perm("superoffice_hooks.manage_webhooks")
        return self.has_view_permission(request) and may

    @admin.display(description=_("endpoint"), ordering="endpoint")
    def page_link(self, watch: Watch) -> SafeString:
        """Return the endpoint, with a link to the page of its webhook."""
        url = self.url("watch_webhook", watch.endpoint)
        return format_html('<a href="{}">{}</a>', url, display.visible(watch.endpoint))

    @admin.display(description=_("state"), ordering="state")
    def state_word(self, watch: Watch) -> SafeString:
        return webhook_facts.state(watch)

    @admin.display(description=_("ping"))
    def ping_word(self, watch: Watch) -> str:
        return watch.get_ping_display() if watch.ping else self.get_empty_value_display()

    @admin.display(description=_("what was done"))
    def done(self, watch: Watch) -> str:
        return watch.get_action_display()

    @admin.display(description=_("differences"))
    def what_differs(self, watch: Watch) -> Any:
        return webhook_page.differences(watch) or self.get_empty_value_display()
