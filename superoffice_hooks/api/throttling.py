"""The throttle for starting replays."""

from typing import cast

from rest_framework.settings import api_settings
from rest_framework.throttling import UserRateThrottle

SCOPE = "superoffice_replay"


class ReplayThrottle(UserRateThrottle):
    """A throttle for each user. Its rate is in DEFAULT_THROTTLE_RATES; default: no limit."""

    scope = SCOPE

    def get_rate(self) -> str | None:
        """Return the rate, as ``"20/hour"``; it is read late, so that tests can override it."""
        return cast("str | None", api_settings.DEFAULT_THROTTLE_RATES.get(self.scope))
