"""The webhook at SuperOffice: what is wanted of it, and code that creates, tests and watches it.

Only this module, ``configured`` and ``wanted`` can be imported without the extra ``superoffice``.
No delivery needs this room.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from .by_hand import Result


def act(endpoint: str, action: str, *, who: str) -> "Result":
    """Do an action of ``by_hand``, which is imported only now.

    Every process imports the pages and the API that call this. The client of SuperOffice's API
    takes longer to import than all else of ours, and its extra may be missing.
    """
    by_hand: Callable[..., Result] = import_string("superoffice_hooks.subscribing.by_hand.act")
    return by_hand(endpoint, action, who=who)
