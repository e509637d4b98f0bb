"""The contenders, and the admin whose pages are timed."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path

from .contenders import views

urlpatterns = [
    path("floor/", views.floor),
    path("by-hand/", views.by_hand),
    path("admin/", admin.site.urls),
]
# What a process pays for its start is measured without the app, too.
if apps.is_installed("superoffice_hooks"):
    urlpatterns.append(path("superoffice/", include("superoffice_hooks.urls")))
# In its own environment alone.
if apps.is_installed("djstripe"):
    urlpatterns.append(path("stripe/", include("djstripe.urls")))
