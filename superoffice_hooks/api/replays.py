"""Replays: planned, started, looked at and cancelled."""

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

from .. import replaying
from ..dispatcher import hand_over_replay
from ..logs import get_logger
from ..models import Event, Replay
from ..reaching import Asked
from ..selecting import Criteria, frozen
from .base import View
from .parsers import JSONParser
from .permissions import MayReplay
from .rows import Detail, Pages
from .serializers import (
    EventReplaySerializer,
    NewReplaySerializer,
    NothingSerializer,
    PlanSerializer,
    ReplayDetailSerializer,
    ReplaySerializer,
)
from .throttling import ReplayThrottle

logger = get_logger(__name__)


class HasEnded(APIException):
    """There is nothing left to cancel."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "The replay has ended already."
    default_code = "has_ended"


class ReplayView(View):
    """Looks at replays, or starts one; only JSON is read.

    In a form, what was left blank and what was left out look the same, and would select more.
    """

    queryset: QuerySet[Any] = Replay.objects.all()
    serializer_class: type[Serializer[Any]] = ReplayDetailSerializer
    asked_with: type[Serializer[Any]] = NothingSerializer
    """What the body of a POST has to be."""
    may = MayReplay
    parser_classes = (JSONParser,)

    def get_serializer_class(self) -> type[Serializer[Any]]:
        return self.asked_with if self.request.method == "POST" else self.serializer_class

    def get_serializer_context(self) -> dict[str, Any]:
        if self.request.method == "POST":
            # Which fields are chosen is a question of those who look.
            return dict(View.get_serializer_context(self))
        return dict(super().get_serializer_context())

    def body(self, request: Request) -> dict[str, Any]:
        """What the body asks for.

        Raises:
            ValidationError: it makes no sense.
        """
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values

    def planned(self, request: Request, criteria: Criteria, asked: dict[str, Any]) -> Replay:
        """The Replay's row, claimed by this process."""
        return replaying.plan(
            criteria,
            who=request.user.get_username(),
            why=asked["reason"],
            receivers=tuple(asked["receivers"]),
            only_failed=asked["only_failed"],
        )


class Starting(ReplayView):
    """Starts replays no more often than the project allows."""

    def get_throttles(self) -> list[BaseThrottle]:
        throttles: list[BaseThrottle] = super().get_throttles()
        return [*throttles, ReplayThrottle()] if self.request.method == "POST" else throttles


class ReplayList(Starting, Pages):
    """Replays from whichever door, the newest first, without their criteria."""

    queryset = Replay.objects.all()
    serializer_class = ReplaySerializer
    asked_with = NewReplaySerializer

    def asked(self) -> Asked:
        """All of them, in the order of their keys."""
        replays = self.get_queryset()
        return Asked(replays, replays, moment="")

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "Location",
                OpenApiTypes.URI,
                OpenApiParameter.HEADER,
                response=[201],
                description="Where the progress of the replay is.",
            )
        ],
        responses={
            200: OpenApiResponse(PlanSerializer, "A dry run: what would be done."),
            201: OpenApiResponse(ReplayDetailSerializer, "What has been done so far."),
        },
    )
    def post(self, request: Request) -> Response:
        """Replay events: begin at once, and leave what a moment is too short for to others.

        With `dry_run`, say what would be done, and do nothing.
        """
        asked = self.body(request)
        criteria = asked.get("criteria", Criteria())
        if asked["dry_run"]:
            return Response(plan(criteria, asked))
        replay = self.planned(request, criteria, asked)
        begin(replay)
        # A plain dict: the browsable API would fill its form with the serializer of another.
        return Response(
            dict(ReplayDetailSerializer(replay).data),
            status=status.HTTP_201_CREATED,
            headers={"Location": request.build_absolute_uri(f"{replay.pk}/")},
        )


class ReplayDetail(ReplayView, Detail):
    """How far a replay is, and what it was asked for."""


class ReplayCancel(ReplayView):
    """Ends a replay. It is not throttled, as it is the brake."""

    also_answers = (HasEnded.status_code,)

    @extend_schema(request=None, responses=ReplayDetailSerializer)
    def post(self, request: Request, pk: str) -> Response:
        """End a replay; the events in hand are finished."""
        self.body(request)
        replay = self.get_object()
        if not replay.cancel(request.user.get_username()):
            raise HasEnded
        return Response(dict(ReplayDetailSerializer(replay).data))


class EventReplay(Starting):
    """Replays one event."""

    queryset = Event.objects.only("pk")
    asked_with = EventReplaySerializer

    @extend_schema(responses=ReplayDetailSerializer)
    def post(self, request: Request, pk: str) -> Response:
        """Dispatch one event again, and say what came out."""
        asked = self.body(request)
        criteria = Criteria(ids=(self.get_object().pk,))
        replay = self.planned(request, criteria, asked)
        begin(replay)
        return Response(dict(ReplayDetailSerializer(replay).data))


def plan(criteria: Criteria, asked: dict[str, Any]) -> dict[str, Any]:
    """What a replay would do; its criteria select these events, and none that come in later."""
    preview = replaying.Preview(frozen(criteria))
    called = preview.failed if asked["only_failed"] else preview.receivers
    chosen = asked["receivers"]
    return dict(
        PlanSerializer(
            {
                "criteria": preview.criteria,
                "events": preview.events,
                "records": preview.records,
                "superseded": preview.superseded,
                "receivers": [
                    {"receiver": path, "events": count}
                    for path, count in called.items()
                    if not chosen or path in chosen
                ],
            }
        ).data
    )


def begin(planned: Replay) -> None:
    """Carry a new replay on for a short time, and leave the rest to the dispatchers."""
    try:
        for _ in replaying.batch(planned):
            pass
    # It is stored, and so goes on elsewhere: an error would have it planned a second time.
    except Exception:
        logger.exception("%s was cut short", planned)
    hand_over_replay(planned)
    # The database's clock says when it ended, and others may have carried it on.
    planned.refresh_from_db(using=router.db_for_write(Replay))
