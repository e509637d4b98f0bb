"""Each file of this folder needs an extra, and is left out where that is not installed."""

from importlib.util import find_spec

NEEDED = {
    "test_log_fields.py": "pythonjsonlogger",
    "test_opentelemetry.py": "opentelemetry",
    "test_prometheus.py": "prometheus_client",
    "test_scraping_many_rows.py": "prometheus_client",
    "test_health_check.py": "health_check",
}

collect_ignore = [name for name, module in NEEDED.items() if not find_spec(module)]
