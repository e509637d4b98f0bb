"""OpenTelemetry: ``INSTALLED_APPS = [..., "superoffice_hooks.contrib.opentelemetry"]``.

Each delivery has a span, and so has each call of a receiver, which is linked to the delivery's.
They go where the project's tracer provider sends them. Needs the extra ``opentelemetry``.
"""
