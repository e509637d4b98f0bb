"""``path("api/superoffice/", include("superoffice_hooks.api.urls"))``."""

from django.urls import path

from .events import EventDetail, EventList
from .fields import Fields
from .records import Record
from .rejections import RejectionDetail, RejectionList
from .replays import EventReplay, ReplayCancel, ReplayDetail, ReplayList
from .status import Status

app_name = "superoffice_hooks_api"

# Keys are text to them, so that one that is no number is answered by us, with a problem.
urlpatterns = [
    path("events/", EventList.as_view(), name="events"),
    path("events/<str:pk>/", EventDetail.as_view(), name="event"),
    path("events/<str:pk>/replay/", EventReplay.as_view(), name="event-replay"),
    path("records/<str:tenant>/<str:entity>/<str:primary_key>/", Record.as_view(), name="record"),
    path("fields/", Fields.as_view(), name="fields"),
    path("rejections/", RejectionList.as_view(), name="rejections"),
    path("rejections/<str:pk>/", RejectionDetail.as_view(), name="rejection"),
    path("replays/", ReplayList.as_view(), name="replays"),
    path("replays/<str:pk>/", ReplayDetail.as_view(), name="replay"),
    path("replays/<str:pk>/cancel/", ReplayCancel.as_view(), name="replay-cancel"),
    path("status/", Status.as_view(), name="status"),
]
