"""The admin: a window on what arrived and what came of it, with one handle, Replay."""

from django.contrib import admin

from ..models import Event, Rejection, Replay
from .events import EventAdmin
from .rejections import RejectionAdmin
from .replays import ReplayAdmin

admin.site.register(Event, EventAdmin)
admin.site.register(Rejection, RejectionAdmin)
admin.site.register(Replay, ReplayAdmin)
