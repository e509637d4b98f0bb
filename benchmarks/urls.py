"""The contenders, and the admin whose pages are timed."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path

from .contenders import views

urlpatterns = [
    path("floor/", views.floor),
    path("by-hand/", views.by_hand),
    path("superoffice/", include("superoffice_hooks.urls")),
    path("admin/", admin.site.urls),
]
# In its own environment alone.
if apps.is_installed("djstripe"):
    urlpatterns.append(path("stripe/", include("djstripe.urls")))
