"""Paging: bounded pages of large tables, for the admin and the API."""
