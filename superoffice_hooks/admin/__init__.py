"""The admin: a window on what arrived and what came of it, with one handle, Replay.

Whatever has the admin installed registers it at its start, and most processes never show a page:
workers, commands, tests. So the pages are imported when somebody first looks at them.
"""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from ..models import Event, Rejection, Replay

if TYPE_CHECKING:
    from .events import EventAdmin
    from .rejections import RejectionAdmin
    from .replays import ReplayAdmin

__all__ = ["EventAdmin", "RejectionAdmin", "ReplayAdmin"]

_MODULES = {"EventAdmin": "events", "RejectionAdmin": "rejections", "ReplayAdmin": "replays"}


def __getattr__(name: str) -> Any:
    """Import one of the ModelAdmins, for those who extend it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_string(f"{__name__}.{_MODULES[name]}.{name}")


def _register(model: type[Model], name: str) -> None:
    """Register a ModelAdmin that is made when the site first asks it for something."""

    def later(*registered: Any) -> Any:
        return SimpleLazyObject(lambda: __getattr__(name)(*registered))

    # A site that registers in a way of its own may want to see the class.
    is_djangos = admin.site.__class__.register is admin.AdminSite.register
    admin.site.register(model, later if is_djangos else __getattr__(name))  # type: ignore[arg-type]


_register(Event, "EventAdmin")
_register(Rejection, "RejectionAdmin")
_register(Replay, "ReplayAdmin")
