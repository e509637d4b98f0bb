"""Let SuperOffice sign with a new secret, in steps during which no delivery is refused."""

from collections.abc import Iterator

from ..models import Watch
from . import arriving
from .applying import NotApplied, conclude, require_one
from .comparing import entity
from .looking import look

_TESTS = 3
"""How many tests have to arrive: several web processes may have different settings."""


def rotate(endpoint: str, *, who: str) -> Iterator[str]:
    """Let SuperOffice sign with the first of SECRETS; yield each step in a sentence.

    Raises:
        ApiError: it was not done.
    """
    seen = look(endpoint)
    require_one(seen, None)
    if seen.ours is None:
        raise NotApplied("There is no webhook yet. Use --apply without --rotate.")
    if seen.is_elsewhere:
        raise NotApplied(
            f"Webhook {seen.ours.id} delivers to {seen.ours.url}. Use --apply without --rotate"
            " first."
        )
    if seen.ours.secret_number == 0:
        yield "SuperOffice signs with the newest secret already."
        return
    if len(seen.secrets) < 2:
        raise NotApplied(
            f"SECRETS has one secret for {endpoint!r}. Put the new one in front of it, keep the old"
            " one, restart every web process, and run this again."
        )
    for _ in range(_TESTS):
        tested, has_arrived = arriving.test(seen, 0)
        if not tested.succeeded or not has_arrived:
            raise NotApplied(
                "A test that was signed with the new secret has not arrived, so the old one stays"
                " in use. Restart every web process with the new SECRETS. SuperOffice wrote:"
                f" {tested.message or 'nothing'}"
            )
    yield f"{_TESTS} tests that were signed with the new secret have arrived."
    values = entity(seen.wanted, seen.secrets, watched=seen.watched)
    seen.webhooks.change(seen.ours.id, values)
    yield f"Webhook {seen.ours.id} signs with the new secret."
    yield conclude(endpoint, action=Watch.Action.ROTATED, who=who)
    yield "Remove the old secret from SECRETS tomorrow: retries may still be signed with it."
