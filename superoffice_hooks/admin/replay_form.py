"""The form that a replay is confirmed with."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..replaying import Criteria, Preview

ALL, FAILED, CHOSEN = "all", "failed", "chosen"


class ReplayForm(forms.Form):
    """Which events, which of their receivers, and why."""

    criteria = forms.CharField(widget=forms.HiddenInput)
    latest = forms.BooleanField(required=False, label=_("Leave out superseded events"))
    which = forms.ChoiceField(
        label=_("Receivers"),
        widget=forms.RadioSelect,
        choices=[
            (ALL, _("all receivers, also those that succeeded before")),
            (FAILED, _("only those whose last run for the event was no success")),
            (CHOSEN, _("only these:")),
        ],
        initial=ALL,
    )
    chosen = forms.MultipleChoiceField(
        required=False, label=_("Chosen receivers"), widget=forms.CheckboxSelectMultiple
    )
    why = forms.CharField(
        label=_("Why"),
        widget=AdminTextareaWidget(attrs={"rows": 2, "autofocus": True}),
        help_text=_("Kept with the replay, for whoever asks later."),
    )

    def __init__(self, data: Any, preview: Preview, **options: Any) -> None:
        super().__init__(data, **options)
        self.initial["criteria"] = json.dumps(preview.criteria.as_json())
        self.fields["chosen"].choices = _with_counts(preview.receivers)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Someone who wants to choose has to: nothing chosen would read as all."""
        values = super().clean() or {}
        if values.get("which") == CHOSEN and not values.get("chosen"):
            self.add_error("chosen", gettext("Choose at least one receiver."))
        return values

    @property
    def asked(self) -> dict[str, Any]:
        """What ``replaying.plan`` is to be given besides the criteria, once the form is valid."""
        values = self.cleaned_data
        return {
            "why": values["why"],
            "only_failed": values["which"] == FAILED,
            "receivers": tuple(values["chosen"]) if values["which"] == CHOSEN else (),
        }


def read_criteria(text: str) -> Criteria | None:
    """The criteria in a form or a link; None unless they select something by something."""
    try:
        criteria = Criteria.from_json(json.loads(text))
    # Deep nesting is a RecursionError.
    except (ValueError, RecursionError):
        return None
    return criteria if criteria.given() else None


def _with_counts(receivers: Mapping[str, int]) -> list[tuple[str, str]]:
    """Receivers with the number of events they would be called for."""
    events = {
        path: ngettext("%(count)d event", "%(count)d events", count) % {"count": count}
        for path, count in receivers.items()
    }
    return [(path, f"{path} ({events[path]})") for path in events]
