"""The form that a replay is confirmed with."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..models import Event, FailureGroup, ReceiverRun, queue
from ..replay.options import ONLY_FAILED, ONLY_NEWEST
from ..replay.running import Criteria, Preview
from .reason_form import reason_field

PREVIEW = "preview"
"""The parameter with which the form is sent only to see what it would do."""


@dataclass(frozen=True)
class Choice:
    """Which receivers the replay is for; the arguments of ``Preview`` besides the criteria."""

    chosen: tuple[str, ...] | None = None
    only_failed: bool = False
    only_newest: bool = False

    @classmethod
    def of_form(cls, data: QueryDict) -> Self:
        """Return the choice of a form that was sent. If no receiver is ticked, all are meant."""
        return cls(
            tuple(data.getlist("receivers")) or None,
            only_failed=bool(data.get(ONLY_FAILED.name)),
            only_newest=bool(data.get(ONLY_NEWEST.name)),
        )

    @classmethod
    def of_link(cls, criteria: Criteria, parameters: QueryDict) -> Self:
        """Return the choice that a form begins with: that of a link, or one that fits the events.

        On the way from failures, that is the receivers that failed.
        """
        linked = cls.of_form(parameters)
        values = criteria.values()
        receiver, failed = "", values.get("status") == Event.Status.FAILED
        if values.get("outcome") in ReceiverRun.UNSUCCESSFUL:
            receiver, failed = criteria.receiver, True
        if criteria.group:
            group = FailureGroup.objects.using(queue.using()).filter(pk=criteria.group)
            receiver, failed = group.values_list("receiver", flat=True).first() or "", True
        if criteria.failing:
            receiver, failed = criteria.failing, True
        return cls(
            linked.chosen or ((receiver,) if receiver else None),
            only_failed=linked.only_failed or failed,
            only_newest=linked.only_newest,
        )

    def as_initial(self) -> dict[str, Any]:
        """Return the values of the form's fields."""
        return {"receivers": list(self.chosen or ()), **asdict(self)}


class ReplayForm(forms.Form):
    """The events, their receivers, and the reason."""

    criteria = forms.CharField(widget=forms.HiddenInput)
    receivers = forms.MultipleChoiceField(
        required=False,
        label=_("Receivers"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Those that are ticked are called. If none is ticked, all of them are."),
    )
    only_failed = forms.BooleanField(required=False, label=ONLY_FAILED.label)
    only_newest = forms.BooleanField(
        required=False,
        label=ONLY_NEWEST.label,
        help_text=_("The newest of the selected events that a receiver would be called for."),
    )
    reason = reason_field(_("Reason"), _("Kept with the replay."))

    def __init__(self, data: Any, preview: Preview, **options: Any) -> None:
        super().__init__(data, **options)
        self.initial["criteria"] = json.dumps(preview.criteria.as_json())
        choices = [(path, _with_counts(path, preview)) for path in preview.selectable]
        cast("forms.MultipleChoiceField", self.fields["receivers"]).choices = choices

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments of ``plan`` besides the criteria, once the form is valid."""
        values = self.cleaned_data
        return {
            "reason": values["reason"],
            "only_failed": values["only_failed"],
            "only_newest": values["only_newest"],
            "receivers": tuple(values["receivers"]) or None,
        }


def read_criteria(text: str) -> Criteria | None:
    """Return the criteria of a form or a link; None if they are invalid or empty."""
    try:
        criteria = Criteria.from_json(json.loads(text))
    # Deep nesting is a RecursionError.
    except (ValueError, RecursionError):
        return None
    return criteria if criteria.values() else None


def _with_counts(path: str, preview: Preview) -> str:
    """Return a receiver with the number of events, and of those for which it failed."""
    count = preview.receivers.get(path, 0)
    events = ngettext("%(count)d event", "%(count)d events", count) % {"count": count}
    failed = preview.failed.get(path, 0)
    if not failed:
        return f"{path} ({events})"
    last = gettext("last run no success: %(count)d") % {"count": failed}
    return f"{path} ({events}, {last})"
