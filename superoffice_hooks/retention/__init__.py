"""Deleting what is past retention, and what somebody asks to be forgotten."""
