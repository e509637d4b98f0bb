"""How fast it is, and next to what: ``python -m benchmarks``. Nothing here is a test."""

SECRET = "the secret of the benchmarks"
