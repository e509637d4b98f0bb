"""The status of an event and, while it is unfinished, its stage, in words."""

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import Event
from ..reports.stages import Stage, stage
from . import display

WORDS = {
    Stage.RUNNING: _("running"),
    Stage.RETRY: _("to be retried"),
    Stage.OVERDUE: _("overdue"),
}
"""What is added to the status; for an event that waits, the status is enough."""


def status(event: Event) -> SafeString:
    """Return the status of an event, with its stage."""
    word = display.status(event.status, event.get_status_display())
    now = stage(event)
    if now not in WORDS:
        return word
    return format_html("{} {}", word, display.status(now, str(WORDS[now])))
