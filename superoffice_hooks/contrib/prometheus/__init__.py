"""Prometheus: ``INSTALLED_APPS = [..., "superoffice_hooks.contrib.prometheus"]``.

Each process counts what happens in it. What waits is read from the database and the spool at each
scrape, within bounds. Needs the extra ``prometheus``.
"""
