"""The admin, the URL to register in SuperOffice (superoffice/webhook/), and the REST API."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("superoffice/", include("superoffice_hooks.urls")),
]

if find_spec("rest_framework"):
    from drf_spectacular.views import SpectacularAPIView

    urlpatterns += [
        path("api/superoffice/", include("superoffice_hooks.api.urls")),
        # Log in, so that the API can be looked at in a browser.
        path("api/login/", include("rest_framework.urls")),
        path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    ]
