"""The test project's URLs."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("superoffice/", include("superoffice_hooks.urls")),
]
# The suite also runs without REST framework.
if find_spec("rest_framework"):
    urlpatterns += [path("api/superoffice/", include("superoffice_hooks.api.urls"))]
