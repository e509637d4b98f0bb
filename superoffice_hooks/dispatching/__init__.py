"""Dispatching: one attempt at an event, and the call of one receiver in its own transaction."""
