"""Receivers: the functions, the signals they are connected to, and which of them are called."""

from .event_signals import EventSignal, calls_for, connected, judged, on, receivers_of
from .options import SIGNIFICANT, Fields, Options, read_fields
from .receiver import EventLike, Reason, Receiver, around_calls, dotted_path

__all__ = [
    "SIGNIFICANT",
    "EventLike",
    "EventSignal",
    "Fields",
    "Options",
    "Reason",
    "Receiver",
    "around_calls",
    "calls_for",
    "connected",
    "dotted_path",
    "judged",
    "on",
    "read_fields",
    "receivers_of",
]
