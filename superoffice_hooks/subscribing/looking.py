"""One look at a webhook: which one it is, in which state, and what differs."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..models import Watch
from ..superoffice_api.client import Client
from ..superoffice_api.redacting import Secret
from ..superoffice_api.webhooks import Webhook, Webhooks
from ..wire.web_addresses import is_same_place
from . import configured, recognising
from .clients import client_of
from .comparing import Difference, differences
from .wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The webhook of an endpoint, as it was seen at SuperOffice."""

    wanted: Wanted
    client: Client
    webhooks: Webhooks
    secrets: tuple[Secret, ...]
    matching: tuple[Webhook, ...]
    """The webhooks with the wanted address."""
    visible: tuple[Webhook, ...]
    ours: Webhook | None
    """The one that is ours; None if there is none, or if it is not clear which one."""
    watched: int | None
    """The id of the webhook whose state events are wanted."""
    differences: tuple[Difference, ...]

    @property
    def state(self) -> str:
        """Return the webhook's state."""
        if self.ours is not None:
            return self.ours.state
        return Watch.State.SEVERAL if self.matching else Watch.State.MISSING

    @property
    def is_elsewhere(self) -> bool:
        """Return whether ours delivers to another address than the wanted one."""
        return self.ours is not None and not is_same_place(self.ours.url, self.wanted.url)

    @property
    def is_as_wanted(self) -> bool:
        """Return whether nothing has to be changed."""
        return self.ours is not None and not self.differences


def look(endpoint: str, *, adopt: int | None = None) -> Look:
    """Look at the webhook of an endpoint; nothing is written.

    Args:
        endpoint: one of WEBHOOKS.
        adopt: the id of the webhook that is ours, even with another address.

    Raises:
        ApiError: SuperOffice's answer, or a setting, is missing or cannot be used.
    """
    wanted = configured.wanted_of(endpoint)
    secrets = configured.secrets_of(endpoint)
    client = client_of(wanted.tenant)
    webhooks = Webhooks(client, secrets)
    visible = tuple(webhooks.all())
    if adopt is None:
        ours = recognising.ours(wanted, visible)
    else:
        ours = next((hook for hook in visible if hook.id == adopt), None)
    watched = _watched(wanted, visible)
    return Look(
        wanted=wanted,
        client=client,
        webhooks=webhooks,
        secrets=secrets,
        matching=recognising.matching(wanted, visible),
        visible=visible,
        ours=ours,
        watched=watched,
        differences=differences(wanted, ours, watched) if ours else (),
    )


def _watched(wanted: Wanted, visible: Sequence[Webhook]) -> int | None:
    """Return the id of the webhook whose state events are wanted."""
    if not wanted.states_of:
        return None
    other = configured.wanted_of(wanted.states_of)
    if ours := recognising.ours(other, visible):
        return ours.id
    number = len(recognising.matching(other, visible))
    raise configured.NotConfigured(
        f"The webhook of {wanted.endpoint!r} is for the states of that of {wanted.states_of!r},"
        f" of which SuperOffice has {number}. Subscribe {wanted.states_of!r} first, for the same"
        " tenant."
    )
