from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "example_project.desk"
    verbose_name = "Help desk"

    def ready(self) -> None:
        # Receivers connect when their module is imported.
        from . import receivers  # noqa: F401, PLC0415
