"""Replays: their criteria, the preview, and carrying them out."""
