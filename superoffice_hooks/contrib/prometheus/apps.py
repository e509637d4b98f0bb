"""The entry in INSTALLED_APPS."""

from importlib import import_module

from django.apps import AppConfig


class PrometheusConfig(AppConfig):
    """Switches counting on when Django starts, and registers the collector."""

    name = "superoffice_hooks.contrib.prometheus"
    label = "superoffice_hooks_prometheus"

    def ready(self) -> None:
        """Begin to count."""
        # Neither can be imported before the models.
        import_module("superoffice_hooks.contrib.prometheus.counting").begin()
        import_module("superoffice_hooks.contrib.prometheus.standing").register()
