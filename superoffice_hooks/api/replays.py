"""``replays/``: preview, start, read and cancel replays."""

from typing import Any

from django.db import router
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.throttling import BaseThrottle

from ..dispatcher import hand_over_replay
from ..models import Event, Replay
from ..models.paging.pages import Listing
from ..replay import running
from ..replay.criteria import Criteria, frozen
from .base import ActionView
from .rows import Detail, Pages
from .serializers.replays import (
    EventReplaySerializer,
    NewReplaySerializer,
    NothingSerializer,
    PreviewSerializer,
    ReplayDetailSerializer,
    ReplaySerializer,
)
from .throttling import ReplayThrottle


class HasEnded(APIException):
    """The replay cannot be cancelled any more."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "The replay has ended already."
    default_code = "has_ended"


class ReplayView(ActionView):
    """Reads or starts replays."""

    queryset: QuerySet[Any] = Replay.objects.all()
    serializer_class: type[Serializer[Any]] = ReplayDetailSerializer
    body_serializer: type[Serializer[Any]] = NothingSerializer
    """The serializer of a POST's body."""
    post_permissions = ("superoffice_hooks.view_event", "superoffice_hooks.replay_event")

    def get_serializer_class(self) -> type[Serializer[Any]]:
        return self.body_serializer if self.request.method == "POST" else self.serializer_class

    def get_serializer_context(self) -> dict[str, Any]:
        if self.request.method == "POST":
            # Only a GET has chosen fields.
            return dict(ActionView.get_serializer_context(self))
        return dict(super().get_serializer_context())

    def planned(self, request: Request, criteria: Criteria, values: dict[str, Any]) -> Replay:
        """Plan the replay; this process has claimed it."""
        return running.plan(
            criteria,
            who=request.user.get_username(),
            reason=values["reason"],
            receivers=values["receivers"],
            only_failed=values["only_failed"],
            only_newest=values.get("only_newest", False),
        )


class ThrottledReplayView(ReplayView):
    """Starts replays, as often as the project's throttle rate allows."""

    def get_throttles(self) -> list[BaseThrottle]:
        throttles: list[BaseThrottle] = super().get_throttles()
        return [*throttles, ReplayThrottle()] if self.request.method == "POST" else throttles


class ReplayList(ThrottledReplayView, Pages):
    """All replays, the newest first, without their criteria."""

    queryset = Replay.objects.all()
    serializer_class = ReplaySerializer
    body_serializer = NewReplaySerializer

    def listing(self) -> Listing:
        """Return all replays, in the order of their keys."""
        replays = self.get_queryset()
        return Listing(replays, replays, time="")

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "Location",
                OpenApiTypes.URI,
                OpenApiParameter.HEADER,
                response=[201],
                description="The URL of the replay, with its progress.",
            )
        ],
        responses={
            200: OpenApiResponse(PreviewSerializer, "A dry run: the preview."),
            201: OpenApiResponse(ReplayDetailSerializer, "What has been done so far."),
        },
    )
    def post(self, request: Request, **kwargs: Any) -> Response:
        """Replay events: begin at once, and leave what takes longer to the dispatchers.

        With `dry_run`, answer with the preview and change nothing.
        """
        values = self.body(request)
        criteria = values.get("criteria", Criteria())
        if values["dry_run"]:
            return Response(preview(criteria, values))
        replay = self.planned(request, criteria, values)
        begin(replay)
        # A plain dict: with a serializer's data, the browsable API would fill its form.
        return Response(
            dict(ReplayDetailSerializer(replay).data),
            status=status.HTTP_201_CREATED,
            headers={"Location": request.build_absolute_uri(f"{replay.pk}/")},
        )


class ReplayDetail(ReplayView, Detail):
    """One replay, with its progress and its criteria."""


class ReplayCancel(ReplayView):
    """Cancels a replay. It is not throttled: it must always be possible."""

    also_answers = (HasEnded.status_code,)

    @extend_schema(request=None, responses=ReplayDetailSerializer)
    def post(self, request: Request, pk: str, **kwargs: Any) -> Response:
        """Cancel a replay; the event that is being replayed is finished first."""
        self.body(request)
        replay = self.get_object()
        if not replay.cancel(request.user.get_username()):
            raise HasEnded
        return Response(dict(ReplayDetailSerializer(replay).data))


class EventReplay(ThrottledReplayView):
    """Replays one event."""

    queryset = Event.objects.only("pk")
    body_serializer = EventReplaySerializer

    @extend_schema(responses=ReplayDetailSerializer)
    def post(self, request: Request, pk: str, **kwargs: Any) -> Response:
        """Replay one event, and answer with the result."""
        values = self.body(request)
        criteria = Criteria(ids=(self.get_object().pk,))
        replay = self.planned(request, criteria, values)
        begin(replay)
        return Response(dict(ReplayDetailSerializer(replay).data))


def preview(criteria: Criteria, values: dict[str, Any]) -> dict[str, Any]:
    """Return what a replay would do; its criteria select these events and no later ones."""
    counted = running.Preview(
        frozen(criteria),
        values["receivers"] and tuple(values["receivers"]),
        only_failed=values["only_failed"],
        only_newest=values["only_newest"],
    )
    return dict(PreviewSerializer(counted).data)


def begin(planned: Replay) -> None:
    """Carry a new replay on for a short time, and leave the rest to the dispatchers."""
    running.begin(planned)
    hand_over_replay(planned)
    # The database's clock says when it ended, and others may have carried it on.
    planned.refresh_from_db(using=router.db_for_write(Replay))
