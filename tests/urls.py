"""The test project's URLs."""

from importlib.util import find_spec

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("superoffice/", include("superoffice_hooks.urls")),
]
if settings.THEME == "grappelli":
    urlpatterns += [path("grappelli/", include("grappelli.urls"))]
if settings.THEME == "admin_interface":
    urlpatterns += [path("i18n/", include("django.conf.urls.i18n"))]
# The suite also runs without REST framework.
if find_spec("rest_framework"):
    urlpatterns += [path("api/superoffice/", include("superoffice_hooks.api.urls"))]
