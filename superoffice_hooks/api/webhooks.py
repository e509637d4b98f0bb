"""``webhooks/``: the webhooks at SuperOffice as looks saw them; test, ping and activate them."""

from typing import Any, ClassVar

from django.http import Http404
from django.utils import translation
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from .. import subscribing, superoffice_api
from ..models import Watch
from ..reports.webhooks import Watched, watched
from ..subscribing import configured
from ..superoffice_api.errors import ApiError
from ..wire.values import storable_text
from .base import VIEW, ActionView, View
from .serializers.replays import NothingSerializer
from .serializers.webhooks import (
    WebhookActionSerializer,
    WebhookDetailSerializer,
    WebhookListSerializer,
)

MAX_HISTORY = 50
"""Watches of one webhook that are shown, the newest ones."""


class NotPossible(APIException):
    """It cannot be done about the webhook as it is."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "not_possible"


class Failed(APIException):
    """SuperOffice gave no answer, or none that does what is wanted."""

    status_code = status.HTTP_502_BAD_GATEWAY
    default_code = "failed"


class WebhookList(View):
    """The webhooks of WEBHOOKS, as looks saw them last. SuperOffice is not called."""

    queryset = Watch.objects.all()
    serializer_class = WebhookListSerializer

    @extend_schema(operation_id="webhooks_list", responses=WebhookListSerializer)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = [described(seen) for seen in watched()]
        return Response(self.get_serializer({"results": rows}).data)


class WebhookDetail(View):
    """One webhook, with what was seen and done, the newest first."""

    queryset = Watch.objects.all()
    serializer_class = WebhookDetailSerializer

    @extend_schema(responses=WebhookDetailSerializer)
    def get(self, request: Request, endpoint: str) -> Response:
        seen = seen_of(endpoint)
        history = Watch.objects.filter(endpoint=seen.endpoint).order_by("-pk")[:MAX_HISTORY]
        return Response(self.get_serializer({**described(seen), "history": history}).data)


class WebhookAction(ActionView):
    """Does something about a webhook at SuperOffice, within 20 seconds."""

    queryset = Watch.objects.all()
    serializer_class = NothingSerializer
    post_permissions = (VIEW, "superoffice_hooks.manage_webhooks")
    also_answers = (NotPossible.status_code, Failed.status_code)
    verb: ClassVar[str]

    @extend_schema(request=None, responses=WebhookActionSerializer)
    def post(self, request: Request, endpoint: str, **kwargs: Any) -> Response:
        self.body(request)
        endpoint = seen_of(endpoint).endpoint
        if not superoffice_api.is_installed():
            raise NotPossible("This needs the extra superoffice, which is not installed.")
        who = request.user.get_username()
        try:
            # All texts of the API are in English.
            with translation.override("en"):
                result = subscribing.act(endpoint, self.verb, who=who)
        except configured.NotPossible as error:
            raise NotPossible(str(error)) from None
        except ApiError as error:
            raise Failed(str(error)) from None
        shown = {**result._asdict(), "webhook": described(seen_of(endpoint))}
        return Response(WebhookActionSerializer(shown).data)


class WebhookTest(WebhookAction):
    """Let SuperOffice send a test event to the wanted address. Nothing is saved there."""

    verb = "test"


class WebhookPing(WebhookAction):
    """Raise a ping event in SuperOffice, and wait for it. Its name is `superoffice_hooks.ping`."""

    verb = "ping"


class WebhookReactivate(WebhookAction):
    """Activate a webhook that was stopped or ended, after a test; a ping follows."""

    verb = "reactivate"


ACTIONS: dict[str, type[WebhookAction]] = {
    "ping": WebhookPing,
    "reactivate": WebhookReactivate,
    "test": WebhookTest,
}
"""What can be done about a webhook, by the last part of its URL."""


def seen_of(endpoint: str) -> Watched:
    """Return what was seen of the webhook of an endpoint.

    Raises:
        Http404: no webhook is wanted for it.
    """
    name = storable_text(endpoint)
    if name not in configured.endpoints():
        raise Http404
    (seen,) = watched([name])
    return seen


def described(seen: Watched) -> dict[str, Any]:
    """Return what is known of a webhook, and what is wanted."""
    try:
        wanted = configured.wanted_of(seen.endpoint).shown()
        problem = ""
    except configured.NotConfigured as error:
        wanted, problem = None, str(error)
    newest = seen.newest if seen.is_unknown else None
    return {
        "endpoint": seen.endpoint,
        "delivers": None if seen.known is None else not seen.is_down,
        "is_as_wanted": None if seen.known is None else not (seen.is_down or seen.differs),
        "is_unknown": seen.known is None or seen.is_unknown,
        "problem": problem or (newest.reason if newest else ""),
        "wanted": wanted,
        "known": seen.known,
    }
