"""The REST API: reads events, records, fields, rejections and the status, and starts replays.

``path("api/superoffice/", include("superoffice_hooks.api.urls"))``; needs the extra ``api``.
"""
