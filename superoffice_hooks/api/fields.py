"""``fields/``: which fields change, how often, and who listens."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from .. import counting, dictionary
from ..models import Event
from .base import View
from .expected import MomentField, TextField
from .problems import wrong, wrong_form
from .serializers import CountedSerializer

DAYS = 7
"""So far back events are counted, unless ``since`` says otherwise."""
MOST_DAYS = 31
"""So many days are counted at most: each event in them is."""


class FieldsForm(forms.Form):
    """Of which events the fields are counted."""

    since = MomentField(required=False)
    until = MomentField(required=False)
    entity = TextField(required=False, max_length=100)


class Fields(View):
    """Statistics of the changed fields: how often each changes, and which nobody listens to."""

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
                description=f"Received before; at most {MOST_DAYS} days after `since`.",
            ),
            OpenApiParameter("entity", description="Of one entity alone: `ticket`."),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        form = FieldsForm(request.query_params)
        if not form.is_valid():
            raise wrong_form(form)
        since, until = _window(**{name: form.cleaned_data[name] for name in ("since", "until")})
        counted = counting.count(since, until, form.cleaned_data["entity"].lower())
        told = {
            "since": since,
            "until": until,
            "fields": [_described(count) for count in counted.fields()],
            "noise": counted.noise(),
            "unheard": counted.unheard(),
            "unseen": counted.unseen(),
        }
        return Response(self.get_serializer(told).data)


def _window(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """From when until when events are counted.

    Raises:
        ValidationError: the window is none, or longer than MOST_DAYS.
    """
    until = until or timezone.now()
    since = since or until - timedelta(days=DAYS)
    if since >= until:
        raise wrong("since", "Expected a moment before until.")
    if until - since > timedelta(days=MOST_DAYS):
        raise wrong("since", f"Expected a moment at most {MOST_DAYS} days before until.")
    return since, until


def _described(count: counting.FieldCount) -> dict[str, Any]:
    return {**count._asdict(), "label": dictionary.describe(count.entity, count.name).label}
