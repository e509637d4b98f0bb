"""Connects the receivers."""

from django.apps import AppConfig, apps


class ContendersConfig(AppConfig):
    name = "benchmarks.contenders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # The floor's start-up is measured without the app.
        if apps.is_installed("superoffice_hooks"):
            # Receivers connect themselves on import.
            from . import receivers  # noqa: F401, PLC0415
