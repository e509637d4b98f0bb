"""Prometheus: ``INSTALLED_APPS = [..., "superoffice_hooks.contrib.prometheus"]``.

What happens in a process is counted there; what waits is read from the database and the spool at
each scrape, within bounds. Needs the extra ``prometheus``.
"""
