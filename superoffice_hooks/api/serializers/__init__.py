"""Rows as JSON. Their names are those of the filters: ``event``, ``webhook``, ``own``."""
