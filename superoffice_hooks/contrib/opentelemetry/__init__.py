"""OpenTelemetry: ``INSTALLED_APPS = [..., "superoffice_hooks.contrib.opentelemetry"]``.

A span for each delivery, and one for each call of a receiver, which is linked to the delivery's.
They go where the project's tracer provider sends them. Needs the extra ``opentelemetry``.
"""
