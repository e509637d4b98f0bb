"""``failure-groups/``: what fails for which cause; mute, resolve and reopen it."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from ..models import Event, FailureGroup
from ..models.paging.pages import Listing
from ..replay.criteria import Criteria, select
from ..replay.value_kinds import Text, Word
from .base import VIEW, ActionView
from .filters import Filter, FilterBackend
from .problems import wrong_form
from .rows import Detail, Pages
from .serializers.failure_groups import (
    FailureGroupDetailSerializer,
    FailureGroupSerializer,
    HandledSerializer,
    MuteSerializer,
    StateSerializer,
)


class FailureGroupFilterSet(django_filters.FilterSet):
    """What failure groups can be filtered by."""

    state = Filter(
        kind=Word(tuple(FailureGroup.State.choices)),
        label="What was set last: a group whose mute has ended is `muted` until the next failure.",
    )
    receiver = Filter(kind=Text(255), label="The dotted path of a receiver.")

    class Meta:
        model = FailureGroup
        fields: tuple[str, ...] = ()


class FailureGroupList(Pages):
    """Failure groups in the order in which they came up, the newest first."""

    queryset = FailureGroup.objects.all()
    serializer_class = FailureGroupSerializer
    filter_backends = (FilterBackend,)
    filterset_class = FailureGroupFilterSet

    def listing(self) -> Listing:
        """Return the groups that pass the filters, in the order of their keys."""
        groups = self.get_queryset()
        filterset = self.filterset_class(self.request.query_params, groups)
        if not filterset.is_valid():
            raise wrong_form(filterset)
        return Listing(groups, filterset.qs.order_by(), time="")


class FailureGroupDetail(Detail):
    """One failure group, with an example."""

    queryset = FailureGroup.objects.all()
    serializer_class = FailureGroupDetailSerializer


class GroupAction(ActionView):
    """Does something with a failure group."""

    queryset: QuerySet[Any] = FailureGroup.objects.all()
    serializer_class: type[Serializer[Any]] = StateSerializer


class StateAction(GroupAction):
    """Sets the state of a failure group."""

    post_permissions = (VIEW, "superoffice_hooks.triage_failuregroup")
    verb: ClassVar[str]
    """The method of the group."""

    @extend_schema(responses=FailureGroupSerializer)
    def post(self, request: Request, pk: str, **kwargs: Any) -> Response:
        values = self.body(request)
        group = self.get_object()
        getattr(group, self.verb)(who=request.user.get_username(), **values)
        return shown(group)


class FailureGroupMute(StateAction):
    """Say that its failures are known: none is announced, until a time or for good."""

    serializer_class = MuteSerializer
    verb = "mute"


class FailureGroupResolve(StateAction):
    """Say that its cause is gone; the next failure opens it again."""

    verb = "resolve"


class FailureGroupReopen(StateAction):
    """Say that its cause is not gone, or not to be muted."""

    verb = "reopen"


class FailureGroupHandle(GroupAction):
    """Marks the events of a failure group as handled."""

    post_permissions = (VIEW, "superoffice_hooks.view_event", "superoffice_hooks.replay_event")

    @extend_schema(responses=HandledSerializer)
    def post(self, request: Request, pk: str, **kwargs: Any) -> Response:
        """Mark the events that have failed for good in it as handled. No receiver is called."""
        values = self.body(request)
        criteria = Criteria(group=self.get_object().pk, status=Event.Status.FAILED)
        handled = select(criteria).handle(who=request.user.get_username(), **values)
        return Response({"handled": handled})


def shown(group: FailureGroup) -> Response:
    """Answer with a group as it is now."""
    names = FailureGroupSerializer.names()
    row = FailureGroupSerializer.rows(FailureGroup.objects.filter(pk=group.pk), names).get()
    return Response(dict(FailureGroupSerializer(row).data))


ACTIONS: dict[str, type[GroupAction]] = {
    "handle": FailureGroupHandle,
    "mute": FailureGroupMute,
    "reopen": FailureGroupReopen,
    "resolve": FailureGroupResolve,
}
"""What can be done with a failure group, by the last part of its URL."""
