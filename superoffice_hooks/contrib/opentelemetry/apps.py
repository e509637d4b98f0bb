"""The entry in INSTALLED_APPS."""

from importlib import import_module

from django.apps import AppConfig


class OpenTelemetryConfig(AppConfig):
    """Switches the spans on when Django starts."""

    name = "superoffice_hooks.contrib.opentelemetry"
    label = "superoffice_hooks_opentelemetry"

    def ready(self) -> None:
        """Begin to make spans."""
        # It cannot be imported before the models.
        import_module("superoffice_hooks.contrib.opentelemetry.spans").instrument()
