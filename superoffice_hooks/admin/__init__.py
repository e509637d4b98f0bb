"""The admin: shows what arrived and what came of it, and replays it."""

from django.contrib import admin

from ..models import Event, FailureGroup, Rejection, Replay, Watch
from .events import EventAdmin
from .failure_groups import FailureGroupAdmin
from .rejections import RejectionAdmin
from .replays import ReplayAdmin
from .webhooks import WatchAdmin

__all__ = ["EventAdmin", "FailureGroupAdmin", "RejectionAdmin", "ReplayAdmin", "WatchAdmin"]

admin.site.register(Event, EventAdmin)
admin.site.register(FailureGroup, FailureGroupAdmin)
admin.site.register(Rejection, RejectionAdmin)
admin.site.register(Replay, ReplayAdmin)
admin.site.register(Watch, WatchAdmin)
