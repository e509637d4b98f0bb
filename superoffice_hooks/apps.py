"""The app's entry in INSTALLED_APPS."""

from importlib import import_module

from django.apps import AppConfig
from django.core.signals import request_started
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


class SuperOfficeHooksConfig(AppConfig):
    """``INSTALLED_APPS = [..., "superoffice_hooks"]``."""

    name = "superoffice_hooks"
    verbose_name = _("SuperOffice webhooks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and let the first request start the dispatcher."""
        # Neither can be imported before the models.
        import_module("superoffice_hooks.checks")
        start = import_string("superoffice_hooks.dispatcher.start")
        request_started.connect(start, dispatch_uid="superoffice_hooks")
