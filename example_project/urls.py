"""The admin, and the URL to register in SuperOffice: superoffice/webhook/."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("superoffice/", include("superoffice_hooks.urls")),
]
