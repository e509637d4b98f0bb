"""The forms with which people say how they dealt with events, and the field for a reason."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.utils.translation import gettext_lazy as _


def reason_field(label: Any, help_text: Any) -> forms.CharField:
    """Return a field for a reason, which is typed first."""
    widget = AdminTextareaWidget(attrs={"rows": 2, "autofocus": True})
    return forms.CharField(label=label, help_text=help_text, widget=widget)


class HandlingForm(forms.Form):
    """How events were dealt with."""

    explanation = _(
        "These events failed for good. If somebody has dealt with them otherwise, say how: they"
        " then count as handled, and no longer as failed. No receiver is called."
    )
    reason = reason_field(_("What was done"), _("Kept with the event."))
