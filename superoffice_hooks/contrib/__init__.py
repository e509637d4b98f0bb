"""Integrations with monitoring tools. Each is optional, and one line in the settings adds it."""
