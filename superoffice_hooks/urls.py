"""``path("superoffice/", include("superoffice_hooks.urls"))``.

With and without the trailing slash, because SuperOffice may not follow redirects.
"""

from django.urls import path

from .views import webhook

app_name = "superoffice_hooks"

urlpatterns = [
    path("webhook/", webhook, name="webhook"),
    path("webhook", webhook),
    path("webhook/<str:endpoint>/", webhook, name="webhook"),
    path("webhook/<str:endpoint>", webhook),
]
