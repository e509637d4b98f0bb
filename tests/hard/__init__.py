"""Tests that kill, race and flood: real processes, run by ``make test-hard``."""

SECRET = "the secret of the hard tests"
