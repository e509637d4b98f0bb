"""The REST API: events, records, fields, rejections and status to read, replays to start.

``path("api/superoffice/", include("superoffice_hooks.api.urls"))``; wants the extra ``api``.
"""
