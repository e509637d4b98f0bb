"""Receiving: read a body, verify it, store it; or spool it while the database is away."""
