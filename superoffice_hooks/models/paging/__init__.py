"""Bounded pages of large tables, for the admin and the API."""
