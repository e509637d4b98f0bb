"""How often somebody may replay: as often as the project says."""

from typing import cast

from rest_framework.settings import api_settings
from rest_framework.throttling import UserRateThrottle

SCOPE = "superoffice_replay"


class ReplayThrottle(UserRateThrottle):
    """The rate of the scope ``superoffice_replay``, for each user.

    ``REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]`` names it; without one, nobody is held back.
    """

    scope = SCOPE

    def get_rate(self) -> str | None:
        """The rate, as ``"20/hour"``; read when it is asked for, as the other settings are."""
        return cast("str | None", api_settings.DEFAULT_THROTTLE_RATES.get(self.scope))
