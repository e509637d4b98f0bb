"""How urgent something is, in words."""

from enum import IntEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Level(IntEnum):
    """How urgent something is."""

    FINE = 0
    LOOK = 1
    ACT = 2

    @property
    def words(self) -> Promise:
        """Return the level in words, with which a verdict begins."""
        return _LEVELS[self]


_LEVELS = {
    Level.FINE: _("All is well"),
    Level.LOOK: _("Worth a look"),
    Level.ACT: _("Somebody is needed"),
}
