"""The app's entry in INSTALLED_APPS."""

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
        from . import checks, dispatcher  # noqa: F401, PLC0415  (checks register themselves)

        request_started.connect(dispatcher.start, dispatch_uid="superoffice_hooks")
