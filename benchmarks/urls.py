"""The contenders, and the admin whose pages are timed."""

from django.contrib import admin
from django.urls import include, path

from .contenders import views

urlpatterns = [
    path("floor/", views.floor),
    path("by-hand/", views.by_hand),
    path("superoffice/", include("superoffice_hooks.urls")),
    path("admin/", admin.site.urls),
]
