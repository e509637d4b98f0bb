"""``path("api/superoffice/", include("superoffice_hooks.api.urls"))``."""

from django.urls import path

from .events import EventDetail, EventList
from .rejections import RejectionDetail, RejectionList

app_name = "superoffice_hooks_api"

urlpatterns = [
    path("events/", EventList.as_view(), name="events"),
    path("events/<int:pk>/", EventDetail.as_view(), name="event"),
    path("rejections/", RejectionList.as_view(), name="rejections"),
    path("rejections/<int:pk>/", RejectionDetail.as_view(), name="rejection"),
]
