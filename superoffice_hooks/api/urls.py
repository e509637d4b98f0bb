"""``path("api/superoffice/", include("superoffice_hooks.api.urls"))``."""

from django.urls import path

from .events import EventDetail, EventList
from .failure_groups import ACTIONS, FailureGroupDetail, FailureGroupList
from .fields import Fields
from .records import Record
from .rejections import RejectionDetail, RejectionList
from .replays import EventReplay, ReplayCancel, ReplayDetail, ReplayList
from .status import Status
from .webhooks import ACTIONS as WEBHOOK_ACTIONS
from .webhooks import WebhookDetail, WebhookList

app_name = "superoffice_hooks_api"

# Keys are text here, so that our view answers with a problem if one is no number.
urlpatterns = [
    path("events/", EventList.as_view(), name="events"),
    path("events/<str:pk>/", EventDetail.as_view(), name="event"),
    path("events/<str:pk>/replay/", EventReplay.as_view(), name="event-replay"),
    path("records/<str:tenant>/<str:entity>/<str:primary_key>/", Record.as_view(), name="record"),
    path("failure-groups/", FailureGroupList.as_view(), name="failure-groups"),
    path("failure-groups/<str:pk>/", FailureGroupDetail.as_view(), name="failure-group"),
    *(
        path(f"failure-groups/<str:pk>/{action}/", view.as_view(), name=f"failure-group-{action}")
        for action, view in ACTIONS.items()
    ),
    path("fields/", Fields.as_view(), name="fields"),
    path("rejections/", RejectionList.as_view(), name="rejections"),
    path("rejections/<str:pk>/", RejectionDetail.as_view(), name="rejection"),
    path("replays/", ReplayList.as_view(), name="replays"),
    path("replays/<str:pk>/", ReplayDetail.as_view(), name="replay"),
    path("replays/<str:pk>/cancel/", ReplayCancel.as_view(), name="replay-cancel"),
    path("status/", Status.as_view(), name="status"),
    path("webhooks/", WebhookList.as_view(), name="webhooks"),
    path("webhooks/<str:endpoint>/", WebhookDetail.as_view(), name="webhook"),
    *(
        path(f"webhooks/<str:endpoint>/{action}/", view.as_view(), name=f"webhook-{action}")
        for action, view in WEBHOOK_ACTIONS.items()
    ),
]
