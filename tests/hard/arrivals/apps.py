"""The app."""

from django.apps import AppConfig


class ArrivalsConfig(AppConfig):
    name = "tests.hard.arrivals"

    def ready(self) -> None:
        from . import receivers  # noqa: F401
