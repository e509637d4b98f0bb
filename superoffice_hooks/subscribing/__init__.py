"""The webhook at SuperOffice: what is wanted of it, and code that creates, tests and watches it.

Only this module, ``configured`` and ``wanted`` can be imported without the extra ``superoffice``.
No delivery needs this room.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from .actions import Result


def act(endpoint: str, action: str, *, who: str) -> "Result":
    """Do one of ``actions``, which are imported only now.

    Every process imports the pages and the API that call this. The client of SuperOffice's API
    takes longer to import than all else of ours, and its extra may be missing.
    """
    act_now: Callable[..., Result] = import_string("superoffice_hooks.subscribing.actions.act")
    return act_now(endpoint, action, who=who)
