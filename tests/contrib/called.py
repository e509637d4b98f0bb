"""Receivers that end in each way, for what counts or traces their calls."""

from superoffice_hooks.exceptions import GiveUp, RetryLater


def succeeds(**kwargs):
    pass


def raises(**kwargs):
    raise ValueError("no such ticket")


def gives_up(**kwargs):
    raise GiveUp("never")


def waits(**kwargs):
    raise RetryLater(30)
