"""An app whose receivers leave one row each time they are called."""
