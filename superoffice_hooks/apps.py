"""The app's entry in INSTALLED_APPS."""

from typing import Any

from django.apps import AppConfig
from django.core.signals import request_started
from django.utils.translation import gettext_lazy as _


class SuperOfficeHooksConfig(AppConfig):
    """``INSTALLED_APPS = [..., "superoffice_hooks"]``."""

    name = "superoffice_hooks"
    verbose_name = _("SuperOffice webhooks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and let the first request start the dispatcher."""
        from . import checks  # noqa: F401, PLC0415  (checks register themselves on import)

        request_started.connect(_start_dispatcher, dispatch_uid="superoffice_hooks")


def _start_dispatcher(**kwargs: Any) -> None:
    """Start the dispatcher of this process, unless it runs."""
    from .dispatcher import start  # noqa: PLC0415  (of use to processes that serve requests)

    start()
