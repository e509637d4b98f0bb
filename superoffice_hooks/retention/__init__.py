"""Delete what is past retention, and forget what deliveries said of a record."""
