"""The flags of a replay besides its criteria. The doors are made from these rows."""

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _


class Option(NamedTuple):
    """A flag of a replay. Its name is that in Replay, ``plan`` and ``Preview``."""

    name: str
    label: Any
    help: str

    @property
    def option(self) -> str:
        """Return the name of the command's option."""
        return self.name.replace("_", "-")


ONLY_FAILED = Option(
    name="only_failed",
    label=_("Only where the receiver's last run was no success"),
    help="Calls, for each event, only receivers whose last run for it was no success.",
)
ONLY_NEWEST = Option(
    name="only_newest",
    label=_("Only the newest event of each record"),
    help="Calls each receiver only for the newest event of each record, among the selected events"
    " that it would be called for.",
)
OPTIONS = (ONLY_FAILED, ONLY_NEWEST)
