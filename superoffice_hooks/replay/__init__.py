"""Replays: select events by criteria, preview what a replay would do, and carry it out."""
