"""An app whose receiver leaves one row each time it is called."""
