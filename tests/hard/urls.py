"""The webhook, and nothing else."""

from django.urls import include, path

urlpatterns = [path("superoffice/", include("superoffice_hooks.urls"))]
