"""The dispatcher: some threads that call receivers, in each web process or in a process alone."""

from .keeper import Keeper
from .lane import Lane
from .lanes import Lanes
from .process import (
    Place,
    calls_in_this_thread,
    hand_over,
    hand_over_replay,
    start,
    wait_until_idle,
    wake,
)
from .upkeep import Upkeep

__all__ = [
    "Keeper",
    "Lane",
    "Lanes",
    "Place",
    "Upkeep",
    "calls_in_this_thread",
    "hand_over",
    "hand_over_replay",
    "start",
    "wait_until_idle",
    "wake",
]
