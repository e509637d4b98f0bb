"""The actions of ``by_hand`` for pages and the API, which are imported by every process.

The client of SuperOffice's API is imported with the first action: it takes longer than all else of
ours that a process imports, and the extra need not be installed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from .by_hand import Result

_ACT = "superoffice_hooks.subscribing.by_hand.act"


def act(endpoint: str, action: str, *, who: str) -> "Result":
    """Do an action about the webhook of an endpoint; see ``by_hand.act``."""
    by_hand: Callable[..., Result] = import_string(_ACT)
    return by_hand(endpoint, action, who=who)
