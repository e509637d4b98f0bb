"""``fields/``: which fields change, how often, and which receivers are called for them."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ..models import Event
from ..replay.value_kinds import Text, Time
from ..reports import field_statistics
from ..wire.dictionary import describe
from .base import View
from .form_fields import ValueField
from .problems import wrong, wrong_form
from .serializers.figures import CountedSerializer

DAYS = 7
"""The number of days that are counted without ``since``."""
MAX_DAYS = 31
"""The highest number of days: each event in them is counted."""


class FieldsForm(forms.Form):
    """The parameters: which events are counted."""

    since = ValueField(kind=Time(), many=0, required=False)
    until = ValueField(kind=Time(), many=0, required=False)
    entity = ValueField(kind=Text(100), many=0, required=False)


class Fields(View):
    """Statistics of the changed fields.

    They say how often each field changes, and for which changes no receiver is called.
    """

    queryset = Event.objects.all()
    serializer_class = CountedSerializer
    parameters = tuple(FieldsForm.base_fields)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "since",
                OpenApiTypes.DATETIME,
                description=f"Received then or later; {DAYS} days before `until`, if left out.",
            ),
            OpenApiParameter(
                "until",
                OpenApiTypes.DATETIME,
                description=f"Received before, and up to {MAX_DAYS} days after `since`.",
            ),
            OpenApiParameter("entity", description="Of one entity alone: `ticket`."),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        form = FieldsForm(request.query_params)
        if not form.is_valid():
            raise wrong_form(form)
        since, until = _window(**{name: form.cleaned_data[name] for name in ("since", "until")})
        counted = field_statistics.count(since, until, (form.cleaned_data["entity"] or "").lower())
        figures = {
            "since": since,
            "until": until,
            "fields": [
                {**count._asdict(), "label": describe(count.entity, count.name).label}
                for count in counted.fields()
            ],
            "noise": counted.noise(),
            "unheard": counted.unheard(),
            "unseen": counted.unseen(),
        }
        return Response(self.get_serializer(figures).data)


def _window(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """Return the times between which events are counted.

    Raises:
        ValidationError: the window is empty, or longer than MAX_DAYS.
    """
    until = until or timezone.now()
    since = since or until - timedelta(days=DAYS)
    if since >= until:
        raise wrong("since", "Expected a time before until.")
    if until - since > timedelta(days=MAX_DAYS):
        raise wrong("since", f"Expected a time at most {MAX_DAYS} days before until.")
    return since, until
