"""``path("api/superoffice/", include("superoffice_hooks.api.urls"))``."""

from django.urls import path

from .events import EventDetail, EventList
from .fields import Fields
from .records import Record
from .rejections import RejectionDetail, RejectionList
from .status import Status

app_name = "superoffice_hooks_api"

urlpatterns = [
    path("events/", EventList.as_view(), name="events"),
    path("events/<int:pk>/", EventDetail.as_view(), name="event"),
    path("records/<str:tenant>/<str:entity>/<str:primary_key>/", Record.as_view(), name="record"),
    path("fields/", Fields.as_view(), name="fields"),
    path("rejections/", RejectionList.as_view(), name="rejections"),
    path("rejections/<int:pk>/", RejectionDetail.as_view(), name="rejection"),
    path("status/", Status.as_view(), name="status"),
]
