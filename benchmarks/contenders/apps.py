"""Connects the receivers."""

from django.apps import AppConfig


class ContendersConfig(AppConfig):
    name = "benchmarks.contenders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import receivers  # noqa: F401, PLC0415  (receivers connect themselves on import)
